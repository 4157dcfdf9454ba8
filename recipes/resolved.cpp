// Writes a checked recipe as YAML that reads back as the same recipe.
#include <re2/re2.h>

#include <nlohmann/json.hpp>

#include "recipes/option_scalar.h"
#include "recipes/recipe.h"
#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

constexpr size_t kLineLength = 100;

/// The text as a YAML scalar: plain where every reader of YAML takes it for a text, else in quotes.
std::string scalar(const std::string& text) {
  static const re2::RE2 kPlain("([.]{0,2}/)?[A-Za-z_]([A-Za-z0-9_./ -]*[A-Za-z0-9_./-])?");
  static const re2::RE2 kWord("(?i)null|true|false|yes|no|on|off|y|n");
  if (re2::RE2::FullMatch(text, kPlain) && !re2::RE2::FullMatch(text, kWord)) {
    return text;
  }
  if (text.find_first_of("\n\t") != std::string::npos) {
    return nlohmann::json(text).dump();
  }
  std::string quoted = "'";
  for (char c : text) {
    quoted += c == '\'' ? "''" : std::string(1, c);
  }
  return quoted + "'";
}

class Writer {
 public:
  void mapping(const OptionValues& values, const std::string& indent);
  const std::string& text() const { return text_; }

 private:
  void option(const Option& option, const OptionValue& value, const std::string& indent);
  void by_pattern(const OptionValue& value, const std::string& indent);
  void list(const OptionValue& value, size_t used, const std::string& indent);
  void section(const OptionValues& values, const std::string& indent);

  std::string text_;
};

void Writer::mapping(const OptionValues& values, const std::string& indent) {
  for (const Option& field : values.table()) {
    const OptionValue& value = values.value(field.name);
    if (value.present) {
      text_ += indent + field.name + ":";
      option(field, value, indent);
    }
  }
}

/// What follows "key:", to the end of its last line.
void Writer::option(const Option& option, const OptionValue& value, const std::string& indent) {
  switch (option.type) {
    case OptionType::Bool:
      text_ += value.boolean ? " true\n" : " false\n";
      return;
    case OptionType::Int:
      text_ += " " + std::to_string(value.integer) + "\n";
      return;
    case OptionType::Float:
      text_ += " " + number_text(value.number) + "\n";
      return;
    case OptionType::Size:
      text_ += " " + value.texts[0].text + "\n";
      return;
    case OptionType::IntPair:
      text_ += " [" + std::to_string(value.integers[0]) + ", " + std::to_string(value.integers[1]) +
               "]\n";
      return;
    case OptionType::TextList:
    case OptionType::Patterns:
      list(value, indent.size() + option.name.size(), indent);
      return;
    case OptionType::ByPattern:
      by_pattern(value, indent + "  ");
      return;
    case OptionType::Mapping:
      section(value.mappings[0], indent + "  ");
      return;
    default:
      break;
  }
  if (!value.is_mapping && option.type != OptionType::Modifiers) {
    text_ += " " + scalar(value.texts[0].text) + "\n";
    return;
  }
  if (option.type == OptionType::TextOrMapping) {
    section(value.mappings[0], indent + "  ");
    return;
  }
  text_ += "\n";
  for (const OptionValues& item : value.mappings) {
    const size_t begin = text_.size();
    if (option.type == OptionType::Modifiers) {
      text_ += indent + "    " + item.name() + ":";
      section(item, indent + "      ");
    } else {
      mapping(item, indent + "    ");
    }
    text_[begin + indent.size() + 2] = '-';
  }
}

void Writer::by_pattern(const OptionValue& value, const std::string& indent) {
  text_ += "\n";
  for (size_t i = 0; i < value.texts.size(); ++i) {
    text_ += indent + scalar(value.texts[i].text) + ":";
    section(value.mappings[i], indent + "  ");
  }
}

void Writer::list(const OptionValue& value, size_t used, const std::string& indent) {
  std::vector<std::string> items;
  for (const TextValue& item : value.texts) {
    items.push_back(scalar(item.text));
  }
  std::string line;
  for (const std::string& item : items) {
    line.append(line.empty() ? "" : ", ").append(item);
  }
  if (used + line.size() <= kLineLength) {
    text_ += " [" + line + "]\n";
    return;
  }
  text_ += "\n";
  for (const std::string& item : items) {
    text_.append(indent).append("  - ").append(item).append("\n");
  }
}

void Writer::section(const OptionValues& values, const std::string& indent) {
  const size_t begin = text_.size();
  mapping(values, indent);
  text_.insert(begin, text_.size() == begin ? " {}\n" : "\n");
}

}  // namespace

std::string Recipe::resolved() const {
  Writer writer;
  writer.mapping(values, "");
  return writer.text();
}

}  // namespace oneshot::recipes
