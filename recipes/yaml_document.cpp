#include "recipes/yaml_document.h"

#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "recipes/recipe_error.h"
#include "recipes/yaml_text.h"
#include "recipes/yaml_tree.h"

namespace oneshot::recipes {
namespace {

struct Explanation {
  std::string theirs;  // how a message of yaml-cpp 0.7 begins
  std::string ours;
};

const std::vector<Explanation>& explanations() {
  static const std::vector<Explanation> kExplanations = {
      {"end of sequence flow not found", "the '[' that begins here is never closed"},
      {"end of map flow not found", "the '{' that begins here is never closed"},
      {"end of map not found", "expected 'key: value' here: check the indentation"},
      {"end of sequence not found", "expected '- ' here: check the indentation"},
      {"illegal map value",
       "unexpected ':': a text that holds ': ' needs quotes, else check the indentation"},
      {"illegal map key", "unexpected '?'"},
      {"illegal block entry", "unexpected '- ': check the indentation"},
      {"illegal flow end", "a bracket closes here that was never opened"},
      {"unknown token", "no text can begin with this character: put it in quotes"},
      {"alias not found after *", "a text that begins with '*' needs quotes"},
      {"illegal character found while scanning alias", "a text that begins with '*' needs quotes"},
      {"the referenced anchor is not defined",
       "the alias has no anchor; a text that begins with '*' needs quotes"},
      {"anchor not found after &", "a text that begins with '&' needs quotes"},
      {"illegal character found while scanning anchor", "a text that begins with '&' needs quotes"},
      {"illegal document indicator in scalar", "a quote is not closed before this line"},
      {"unknown escape character",
       "in double quotes a backslash is doubled; single quotes take it as it is"},
  };
  return kExplanations;
}

/// Throws for a tab in front of the line that the parser stumbled over: it says anything but "tab".
void blame_tab(const std::string& text, size_t offset, Positions& positions) {
  const size_t before = offset == 0 ? std::string::npos : text.rfind('\n', offset - 1);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  const size_t tab = text.find_first_not_of(' ', begin);
  if (tab != std::string::npos && text[tab] == '\t') {
    fail(positions.at(tab), "a tab in the indentation: YAML is indented with spaces");
  }
}

[[noreturn]] void explain(const YAML::Exception& error,
                          const std::string& text,
                          const TreeBuilder& builder,
                          Positions& positions) {
  size_t offset = error.mark.is_null() ? text.size() : static_cast<size_t>(error.mark.pos);
  blame_tab(text, std::min(offset, text.size()), positions);
  const bool never_closed = error.msg.find("flow not found") != std::string::npos;
  if (never_closed && builder.unfinished()) {
    offset = *builder.unfinished();
  }
  for (const Explanation& explanation : explanations()) {
    if (error.msg.starts_with(explanation.theirs)) {
      fail(positions.at(offset), explanation.ours);
    }
  }
  fail(positions.at(offset), "not YAML: " + printable(error.msg));
}

/// `text` ends with a line feed: only then does a quote that is never closed reach the builder, who
/// knows where it began.
YamlNode parse(const std::string& text,
               Positions positions,
               const std::string& file,
               bool command_line) {
  std::istringstream stream(text);
  TreeBuilder builder(text, positions, file, command_line);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    explain(error, text, builder, positions);
  }
  YamlNode root = builder.take_root();
  if (root.where.empty()) {
    root.where = positions.at(0);
    root.file = file;
    root.command_line = command_line;
  }
  return root;
}

}  // namespace

YamlNode parse_yaml(const std::string& text, const std::string& file) {
  const std::string name = printable(file);
  const std::string prepared = prepare_text(text, name) + "\n";
  return parse(prepared, Positions(prepared, name), file, false);
}

YamlNode parse_yaml_value(const std::string& text, const std::string& where, bool command_line) {
  if (const auto bad = find_bad_byte(text)) {
    fail(where, bad->reason);
  }
  return parse(text + "\n", Positions(where), "", command_line);
}

std::optional<size_t> find_key(const YamlNode& mapping, std::string_view key) {
  for (size_t i = 0; i < mapping.keys.size(); ++i) {
    if (mapping.keys[i].text == key) {
      return i;
    }
  }
  return std::nullopt;
}

std::string found(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::Null:
      return "nothing";
    case YamlNode::Kind::List:
      return "a list";
    case YamlNode::Kind::Mapping:
      return "a mapping";
    case YamlNode::Kind::Scalar:
      break;
  }
  return (node.quoted ? "the text " : "") + in_quotes(node.text);
}

}  // namespace oneshot::recipes
