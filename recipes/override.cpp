#include "recipes/override.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> words(1);
  for (char c : path) {
    if (c == '.') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

std::optional<size_t> index_from(const std::string& word) {
  size_t index = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, index);
  return error == std::errc{} && stop == end ? std::optional(index) : std::nullopt;
}

YamlNode& list_item(YamlNode& list,
                    const std::string& name,
                    const std::string& word,
                    const std::string& where) {
  const auto index = index_from(word);
  if (!index || *index >= list.items.size()) {
    const std::string last = std::to_string(list.items.size() - 1);
    fail(where,
         in_quotes(name) + " is a list" +
             (list.items.empty() ? " without entries" : ": write a number from 0 to " + last) +
             ", found " + in_quotes(word));
  }
  return list.items[*index];
}

/// The value below `key`; a mapping is put there when there is none.
YamlNode& mapping_item(YamlNode& mapping, const std::string& key, const std::string& where) {
  for (size_t i = 0; i < mapping.keys.size(); ++i) {
    if (mapping.keys[i].text == key) {
      return mapping.items[i];
    }
  }
  const YamlNode made{.where = where, .command_line = true};
  mapping.keys.push_back(made);
  mapping.keys.back().kind = YamlNode::Kind::Scalar;
  mapping.keys.back().text = key;
  mapping.items.push_back(made);
  mapping.items.back().kind = YamlNode::Kind::Mapping;
  return mapping.items.back();
}

}  // namespace

void apply_override(YamlNode& recipe, const std::string& assignment) {
  const std::string where = "--set " + printable(assignment);
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos) {
    fail(where, "write KEY=VALUE, such as calibration.samples=128");
  }
  const std::vector<std::string> words = split(assignment.substr(0, equals));
  YamlNode* node = &recipe;
  std::string name = "the recipe";
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.empty()) {
      fail(where, "a word of the key is empty");
    }
    if (node->kind == YamlNode::Kind::List) {
      node = &list_item(*node, name, word, where);
    } else if (node->kind == YamlNode::Kind::Mapping) {
      node = &mapping_item(*node, word, where);
    } else {
      const bool is_null = node->kind == YamlNode::Kind::Null;
      fail(where,
           in_quotes(name) + (is_null ? " has no value in the recipe"
                                      : " is " + found(*node) + ", which has no options"));
    }
    const bool is_modifier = i == 1 && words[0] == "modifiers" && words.size() > 2;
    if (is_modifier && node->kind == YamlNode::Kind::Mapping && node->items.size() == 1) {
      name = node->keys[0].text;
      node = &node->items[0];
    } else {
      name = word;
    }
  }
  *node = parse_yaml_value(assignment.substr(equals + 1), where, true);
}

}  // namespace oneshot::recipes
