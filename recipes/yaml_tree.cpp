#include "recipes/yaml_tree.h"

#include <yaml-cpp/mark.h>

#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

constexpr size_t kDeepest = 64;
constexpr size_t kMostNodes = 100'000;
constexpr size_t kMostBytes = 4 << 20;
constexpr const char* kTuple = "tag:yaml.org,2002:python/tuple";

/// False when the quoted scalar at `offset` ends with the text: yaml-cpp 0.7 takes the end of the
/// text for the end of the quote.
bool is_closed(const std::string& text, size_t offset) {
  while (offset < text.size() && (text[offset] == '&' || text[offset] == '!')) {
    offset = text.find_first_of(" \n\t", offset);  // an anchor or a tag in front
    offset = offset == std::string::npos ? offset : text.find_first_not_of(" \n\t", offset);
  }
  const char quote = offset < text.size() ? text[offset] : '\0';
  if (quote != '\'' && quote != '"') {
    return true;  // a block
  }
  for (++offset; offset < text.size(); ++offset) {
    const bool doubled = quote == '\'' && text.compare(offset, 2, "''") == 0;
    if (doubled || (quote == '"' && text[offset] == '\\')) {
      ++offset;
    } else if (text[offset] == quote) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<size_t> TreeBuilder::unfinished() const {
  return open_.empty() ? std::nullopt : std::optional(open_.back().offset);
}

void TreeBuilder::OnDocumentStart(const YAML::Mark& mark) {
  if (++documents_ == 1) {
    return;
  }
  fail(positions_.at(offset(mark)),
       text_.compare(offset(mark), 3, "---") == 0
           ? "a second document begins here: a recipe is one document"
           : "this does not belong to what stands before it: check the indentation");
}

void TreeBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  YamlNode node = make(YamlNode::Kind::Null, mark);
  node.text = written_null(mark);
  add(std::move(node), anchor);
}

void TreeBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const std::string where = positions_.at(offset(mark));
  const auto known = anchored_.find(anchor);
  if (known == anchored_.end()) {
    fail(where, "an alias inside of what it stands for");
  }
  count_all(known->second, where);
  place(known->second);
}

void TreeBuilder::OnScalar(const YAML::Mark& mark,
                           const std::string& tag,
                           YAML::anchor_t anchor,
                           const std::string& value) {
  refuse_tag(mark, tag);
  YamlNode node = make(YamlNode::Kind::Scalar, mark);
  node.quoted = tag == "!";
  node.text = value;
  if (node.quoted && !is_closed(text_, offset(mark))) {
    fail(node.where, "the quote that begins here is never closed");
  }
  if (const auto bad = find_bad_byte(value)) {
    fail(node.where, in_quotes(value) + ": " + bad->reason);
  }
  add(std::move(node), anchor);
}

void TreeBuilder::OnSequenceStart(const YAML::Mark& mark,
                                  const std::string& tag,
                                  YAML::anchor_t anchor,
                                  YAML::EmitterStyle::value) {
  begin(YamlNode::Kind::List, mark, tag, anchor);
}

void TreeBuilder::OnMapStart(const YAML::Mark& mark,
                             const std::string& tag,
                             YAML::anchor_t anchor,
                             YAML::EmitterStyle::value) {
  begin(YamlNode::Kind::Mapping, mark, tag, anchor);
}

size_t TreeBuilder::offset(const YAML::Mark& mark) const {
  return mark.is_null() ? text_.size() : static_cast<size_t>(mark.pos);
}

YamlNode TreeBuilder::make(YamlNode::Kind kind, const YAML::Mark& mark) {
  return {.kind = kind,
          .where = positions_.at(offset(mark)),
          .file = file_,
          .command_line = command_line_};
}

/// The null as it is written; empty where nothing is: the mark is then that of what follows.
std::string TreeBuilder::written_null(const YAML::Mark& mark) const {
  for (const char* word : {"~", "null", "Null", "NULL"}) {
    if (text_.compare(offset(mark), std::string_view(word).size(), word) == 0) {
      return word;
    }
  }
  return "";
}

void TreeBuilder::refuse_tag(const YAML::Mark& mark, const std::string& tag) {
  if (tag == "?" || tag == "!") {
    return;  // a plain scalar, list or mapping; a quoted scalar
  }
  constexpr std::string_view kStandard = "tag:yaml.org,2002:";
  const std::string written =
      tag.starts_with(kStandard) ? "!!" + tag.substr(kStandard.size()) : tag;
  fail(positions_.at(offset(mark)), "a recipe has no tags, found " + in_quotes(written));
}

void TreeBuilder::begin(YamlNode::Kind kind,
                        const YAML::Mark& mark,
                        const std::string& tag,
                        YAML::anchor_t anchor) {
  const bool is_tuple = kind == YamlNode::Kind::List && tag == kTuple;
  if (!is_tuple) {
    refuse_tag(mark, tag);
  }
  if (open_.size() == kDeepest) {
    fail(positions_.at(offset(mark)), "nested more than " + std::to_string(kDeepest) + " deep");
  }
  open_.push_back({make(kind, mark), anchor, offset(mark)});
  open_.back().node.is_tuple = is_tuple;
}

void TreeBuilder::end() {
  Open done = std::move(open_.back());
  open_.pop_back();
  add(std::move(done.node), done.anchor);
}

/// A finished node of the text; what is below it was added before.
void TreeBuilder::add(YamlNode node, YAML::anchor_t anchor) {
  count(node, node.where);
  if (anchor != YAML::NullAnchor) {
    count_all(node, node.where);
    anchored_[anchor] = node;
  }
  place(std::move(node));
}

void TreeBuilder::place(YamlNode node) {
  if (open_.empty()) {
    root_ = std::move(node);
    return;
  }
  YamlNode& parent = open_.back().node;
  if (parent.kind == YamlNode::Kind::Mapping && parent.keys.size() == parent.items.size()) {
    check_key(node);
    parent.keys.push_back(std::move(node));
  } else {
    parent.items.push_back(std::move(node));
  }
}

void TreeBuilder::check_key(const YamlNode& key) {
  if (key.kind != YamlNode::Kind::Scalar) {
    fail(key.where, "a key must be a text, found " + found(key));
  }
  if (key.text == "<<" && !key.quoted) {
    fail(key.where, "merge keys (<<) are not allowed: write the options out");
  }
  const auto [first, is_new] = open_.back().keys.emplace(key.text, key.where);
  if (!is_new) {
    const std::string other = first->second == key.where ? "" : ", first at " + first->second;
    fail(key.where, "duplicate key " + in_quotes(key.text) + other);
  }
}

void TreeBuilder::count(const YamlNode& node, const std::string& where) {
  ++nodes_;
  bytes_ += node.text.size();
  if (nodes_ > kMostNodes || bytes_ > kMostBytes) {
    fail(where, "too large: more than 100000 values or 4 MiB with all aliases written out");
  }
}

void TreeBuilder::count_all(const YamlNode& node, const std::string& where) {
  count(node, where);
  for (const auto* children : {&node.keys, &node.items}) {
    for (const YamlNode& child : *children) {
      count_all(child, where);
    }
  }
}

}  // namespace oneshot::recipes
