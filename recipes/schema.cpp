#include "recipes/schema.h"

#include <cctype>

#include "recipes/option_scalar.h"
#include "recipes/recipe_options.h"
#include "recipes/yaml_document.h"

namespace oneshot::recipes {
namespace {

using nlohmann::json;

json option_schema(const Option& option);

/// A text of the tables as JSON: what a YAML reader takes it for.
json to_json(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::Null:
      return nullptr;
    case YamlNode::Kind::List: {
      json list = json::array();
      for (const YamlNode& item : node.items) {
        list.push_back(to_json(item));
      }
      return list;
    }
    case YamlNode::Kind::Mapping: {
      json mapping = json::object();
      for (size_t i = 0; i < node.keys.size(); ++i) {
        mapping[node.keys[i].text] = to_json(node.items[i]);
      }
      return mapping;
    }
    case YamlNode::Kind::Scalar:
      break;
  }
  if (!node.quoted && json::accept(node.text)) {
    return json::parse(node.text);  // a number, true or false
  }
  return node.text;
}

void add_range(json& schema, const Option& option) {
  if (option.minimum) {
    schema[option.above_minimum ? "exclusiveMinimum" : "minimum"] =
        json::parse(number_text(*option.minimum));
  }
  if (option.maximum) {
    schema["maximum"] = json::parse(number_text(*option.maximum));
  }
}

/// The words in any case: "^([Ff][Pp]8|…)$".
std::string any_case_pattern(const std::vector<std::string>& words) {
  std::string pattern;
  for (const std::string& word : words) {
    pattern += pattern.empty() ? "^(" : "|";
    for (char c : word) {
      const auto byte = static_cast<unsigned char>(c);
      pattern += std::isalpha(byte) != 0 ? std::string{'[',
                                                       static_cast<char>(std::toupper(byte)),
                                                       static_cast<char>(std::tolower(byte)),
                                                       ']'}
                                         : std::string{c};
    }
  }
  return pattern + ")$";
}

json text_schema(const Option& option) {
  if (option.words.empty() || option.type == OptionType::Path) {
    return {{"type", "string"}, {"minLength", 1}};
  }
  std::vector<std::string> words = option.words;
  if (option.spelling == Spelling::AnyCase) {
    return {
        {"anyOf", {{{"enum", words}}, {{"type", "string"}, {"pattern", any_case_pattern(words)}}}}};
  }
  if (option.spelling == Spelling::Hyphens) {
    for (std::string word : option.words) {
      for (char& c : word) {
        c = c == '_' ? '-' : c;
      }
      if (word.find('-') != std::string::npos) {
        words.push_back(word);
      }
    }
  }
  return {{"enum", words}};
}

json object_schema(const std::vector<Option>& fields) {
  json schema = {{"type", "object"}, {"additionalProperties", false}};
  schema["properties"] = json::object();
  for (const Option& field : fields) {
    schema["properties"][field.name] = option_schema(field);
    if (field.required) {
      schema["required"].push_back(field.name);
    }
  }
  return schema;
}

json list_schema(json items, const Option& option) {
  json schema = {{"type", "array"}, {"items", std::move(items)}};
  if (option.minimum) {
    schema["minItems"] = static_cast<int64_t>(*option.minimum);
  }
  return schema;
}

json modifiers_schema(const Option& option) {
  json entry = object_schema(option.fields);
  entry["minProperties"] = entry["maxProperties"] = 1;
  return {{"type", "array"}, {"minItems", 1}, {"items", std::move(entry)}};
}

json either(json one, json other) {
  json schema;
  schema["anyOf"] = {std::move(one), std::move(other)};
  return schema;
}

json value_schema(const Option& option) {
  json schema;
  switch (option.type) {
    case OptionType::Bool:
      return {{"type", "boolean"}};
    case OptionType::Int:
      schema["type"] = "integer";
      add_range(schema, option);
      return schema;
    case OptionType::Float:
      schema["type"] = "number";
      add_range(schema, option);
      return schema;
    case OptionType::Text:
    case OptionType::Path:
    case OptionType::ImageFolder:
      return text_schema(option);
    case OptionType::TextList:
    case OptionType::Patterns:
      return either(text_schema(option), list_schema(text_schema(option), option));
    case OptionType::Size:
      schema["type"] = "integer";
      add_range(schema, option);
      return either(schema, {{"type", "string"}, {"pattern", "^[0-9]+([kMGT]B|[KMGT]iB)?$"}});
    case OptionType::IntPair:
      schema["type"] = "integer";
      add_range(schema, option);
      return {{"type", "array"}, {"items", schema}, {"minItems", 2}, {"maxItems", 2}};
    case OptionType::Mapping:
      return object_schema(option.fields);
    case OptionType::TextOrMapping:
      return either(text_schema(option), object_schema(option.fields));
    case OptionType::ByPattern:
      return {{"type", "object"},
              {"minProperties", 1},
              {"additionalProperties", object_schema(option.fields)}};
    case OptionType::PathOrMappings:
      schema = {{"type", "array"}, {"minItems", 1}, {"items", object_schema(option.fields)}};
      return either(text_schema(option), schema);
    case OptionType::Modifiers:
      return modifiers_schema(option);
  }
  return schema;
}

json option_schema(const Option& option) {
  json schema = value_schema(option);
  schema["description"] = option.description;
  if (option.fallback) {
    schema["default"] = to_json(parse_yaml_value(*option.fallback, option.name, false));
  }
  if (!option.example.empty()) {
    const json example = to_json(parse_yaml_value(option.example, option.name, false));
    schema["examples"] = json::array({example.at(option.name)});
  }
  return schema;
}

}  // namespace

json recipe_schema(std::span<const ModifierSyntax> modifiers,
                   std::span<const std::string> known_formats) {
  json schema = option_schema(recipe_table(modifiers, known_formats));
  schema["$schema"] = "http://json-schema.org/draft-07/schema#";
  schema["title"] = "oneshot recipe";
  return schema;
}

}  // namespace oneshot::recipes
