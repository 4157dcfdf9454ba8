#include "recipes/option_reader.h"

#include <algorithm>

#include "recipes/option_scalar.h"
#include "recipes/pattern.h"
#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

/// The option being read, and where its messages say it is.
struct Place {
  const Option& option;
  std::string inside_of;  // "sign_round.scheme"; empty at the top
  std::string where_key;

  std::string prefix() const { return inside_of.empty() ? "" : inside_of + ": "; }
  std::string subject() const { return prefix() + "'" + option.name + "'"; }
  std::string inside() const {
    return inside_of.empty() ? option.name : inside_of + "." + option.name;
  }
};

class Reader {
 public:
  Reader(std::shared_ptr<const Option> root, const Folders& folders)
      : root_(std::move(root)), folders_(folders) {}

  /// `inside` is the dotted name of the mapping, `where` the place of its key.
  OptionValues mapping(const YamlNode& node,
                       const Option& table,
                       const std::string& inside,
                       const std::string& where);
  OptionValue value(const YamlNode& node, const Place& place);

 private:
  std::vector<TextValue> list(const YamlNode& node, const Place& place);
  void by_pattern(const YamlNode& node, const Place& place, OptionValue& value);
  std::vector<OptionValues> one_mapping(const YamlNode& node, const Place& place);
  std::vector<OptionValues> list_of_mappings(const YamlNode& node, const Place& place);
  std::vector<OptionValues> modifiers(const YamlNode& node, const Place& place);
  OptionValues modifier(const YamlNode& node, const Option& option);

  std::shared_ptr<const Option> root_;  // keeps all tables below it alive
  const Folders& folders_;
};

std::vector<std::string> names(const std::vector<Option>& fields) {
  std::vector<std::string> all;
  all.reserve(fields.size());
  for (const Option& field : fields) {
    all.push_back(field.name);
  }
  return all;
}

std::string such_as(const Option& option) {
  return option.example.empty() ? "" : ", such as " + option.example;
}

/// yaml-cpp gives an entry without a value the position of what follows it.
const std::string& where_entry(const YamlNode& list, const YamlNode& entry) {
  const bool is_null = entry.kind == YamlNode::Kind::Null && !entry.command_line;
  return is_null ? list.where : entry.where;
}

OptionValues Reader::mapping(const YamlNode& node,
                             const Option& table,
                             const std::string& inside,
                             const std::string& where) {
  const std::vector<std::string> known = names(table.fields);
  for (const YamlNode& key : node.keys) {
    if (std::find(known.begin(), known.end(), key.text) == known.end()) {
      fail(key.where,
           (inside.empty() ? "" : inside + ": ") + "unknown option " + in_quotes(key.text) +
               did_you_mean(key.text, known, "; the options are " + join(known, "and")));
    }
  }
  std::vector<OptionValue> values;
  for (const Option& field : table.fields) {
    const auto key = std::find_if(node.keys.begin(), node.keys.end(), [&](const YamlNode& k) {
      return k.text == field.name;
    });
    if (key != node.keys.end()) {
      const YamlNode& item = node.items[static_cast<size_t>(key - node.keys.begin())];
      const Place place{field, inside, item.command_line ? item.where : key->where};
      if (item.kind == YamlNode::Kind::Null) {
        const std::string remove = field.required ? "" : "remove it or ";
        fail(place.where_key,
             place.subject() + " has no value: " + remove + "write one" + such_as(field));
      }
      values.push_back(value(item, place));
      values.back().given = true;
    } else if (field.fallback) {
      const YamlNode item = parse_yaml_value(*field.fallback, where, false);
      values.push_back(value(item, {field, inside, where}));
    } else if (field.required) {
      const Place place{field, inside, where};
      fail(where, place.subject() + " is missing: add it" + such_as(field));
    } else {
      values.emplace_back();
    }
  }
  return OptionValues({root_, &table}, where, std::move(values));
}

OptionValue Reader::value(const YamlNode& node, const Place& place) {
  OptionValue value{.present = true, .where = node.where};
  const Option& option = place.option;
  const bool is_text = node.kind == YamlNode::Kind::Scalar;
  switch (option.type) {
    case OptionType::Bool:
      value.boolean = read_boolean(node, place.subject());
      break;
    case OptionType::Int:
      value.integer = read_integer(node, place.subject());
      value.number = static_cast<double>(value.integer);
      check_range(value.number, node, option, place.subject());
      break;
    case OptionType::Float:
      value.number = read_number(node, place.subject());
      check_range(value.number, node, option, place.subject());
      break;
    case OptionType::Size:
      value.integer = read_size(node, place.subject());
      value.texts = {{.text = node.text, .where = node.where}};
      check_range(static_cast<double>(value.integer), node, option, place.subject());
      break;
    case OptionType::Text:
      value.texts = {read_text(node, option, place.subject())};
      break;
    case OptionType::Path:
      value.texts = {read_path(node, option, place.subject(), folders_)};
      break;
    case OptionType::ImageFolder:
      value.texts = {read_image_folder(node, option, place.subject(), folders_)};
      break;
    case OptionType::TextList:
    case OptionType::Patterns:
      value.texts = list(node, place);
      break;
    case OptionType::IntPair:
      value.integers = read_pair(node, option, place.subject());
      break;
    case OptionType::ByPattern:
      by_pattern(node, place, value);
      break;
    case OptionType::Mapping:
      value.mappings = one_mapping(node, place);
      break;
    case OptionType::TextOrMapping:
      value.is_mapping = !is_text;
      if (is_text) {
        value.texts = {read_text(node, option, place.subject())};
      } else {
        value.mappings = one_mapping(node, place);
      }
      break;
    case OptionType::PathOrMappings:
      value.is_mapping = !is_text;
      if (is_text) {
        value.texts = {read_path(node, option, place.subject(), folders_)};
      } else {
        value.mappings = list_of_mappings(node, place);
      }
      break;
    case OptionType::Modifiers:
      value.mappings = modifiers(node, place);
      break;
  }
  return value;
}

std::vector<TextValue> Reader::list(const YamlNode& node, const Place& place) {
  if (node.kind == YamlNode::Kind::Mapping) {
    fail(node.where, place.subject() + " must be a list of texts, found " + found(node));
  }
  const bool is_list = node.kind == YamlNode::Kind::List;
  std::vector<TextValue> texts;
  for (const YamlNode& item : is_list ? node.items : std::vector<YamlNode>{node}) {
    if (item.kind != YamlNode::Kind::Scalar) {
      const std::string number = std::to_string(texts.size() + 1);
      fail(where_entry(node, item),
           place.subject() + ": entry " + number + " must be a text, found " + found(item));
    }
    texts.push_back(read_text(item, place.option, place.subject()));
    if (place.option.type == OptionType::Patterns) {
      check_pattern(texts.back(), place.subject());
    }
  }
  if (static_cast<double>(texts.size()) < place.option.minimum.value_or(0)) {
    fail(node.where, place.subject() + " is empty: remove it or write an entry");
  }
  return texts;
}

void Reader::by_pattern(const YamlNode& node, const Place& place, OptionValue& value) {
  if (node.kind != YamlNode::Kind::Mapping || node.keys.empty()) {
    fail(node.where,
         place.subject() + " must be a mapping of patterns such as {PATTERN: {" +
             place.option.fields[0].example + "}}, found " +
             (node.kind == YamlNode::Kind::Mapping ? "an empty one" : found(node)));
  }
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const YamlNode &key = node.keys[i], &options = node.items[i];
    value.texts.push_back({.text = key.text, .where = key.where});
    check_pattern(value.texts.back(), place.subject());
    if (options.kind != YamlNode::Kind::Mapping || options.keys.empty()) {
      fail(key.where,
           place.subject() + ": " + in_quotes(key.text) + " must be a mapping such as {" +
               place.option.fields[0].example + "}, found " + found(options));
    }
    value.mappings.push_back(mapping(options, place.option, place.inside(), key.where));
  }
}

std::vector<OptionValues> Reader::one_mapping(const YamlNode& node, const Place& place) {
  if (node.kind != YamlNode::Kind::Mapping) {
    const std::string name = place.option.type == OptionType::TextOrMapping ? "a name or " : "";
    fail(node.where,
         place.subject() + " must be " + name + "a mapping (key: value), found " + found(node));
  }
  return {mapping(node, place.option, place.inside(), place.where_key)};
}

std::vector<OptionValues> Reader::list_of_mappings(const YamlNode& node, const Place& place) {
  if (node.kind != YamlNode::Kind::List || node.items.empty()) {
    fail(node.where,
         place.subject() + " must be a path or a list of mappings, found " +
             (node.kind == YamlNode::Kind::List ? "an empty list" : found(node)));
  }
  std::vector<OptionValues> all;
  for (const YamlNode& item : node.items) {
    if (item.kind != YamlNode::Kind::Mapping) {
      fail(where_entry(node, item),
           place.subject() + ": an entry of the list must be a mapping such as {" +
               place.option.fields[0].example + "}, found " + found(item));
    }
    all.push_back(mapping(item, place.option, place.inside(), item.where));
  }
  return all;
}

std::vector<OptionValues> Reader::modifiers(const YamlNode& node, const Place& place) {
  if (node.kind != YamlNode::Kind::List) {
    fail(node.where,
         place.subject() + " must be a list, '- ' before the name of each, found " + found(node));
  }
  if (node.items.empty()) {
    fail(node.where, place.subject() + " is empty: a recipe has at least one modifier");
  }
  std::vector<OptionValues> all;
  for (const YamlNode& item : node.items) {
    if (item.kind != YamlNode::Kind::Mapping || item.keys.empty()) {
      fail(where_entry(node, item),
           "a modifier is its name and its options, NAME: {OPTION: VALUE}, found " + found(item));
    }
    all.push_back(modifier(item, place.option));
  }
  return all;
}

OptionValues Reader::modifier(const YamlNode& node, const Option& option) {
  const YamlNode& name = node.keys[0];
  if (node.keys.size() > 1) {
    fail(node.keys[1].where,
         "a modifier has one key, its name: indent " + in_quotes(node.keys[1].text) +
             " further to make it an option of " + in_quotes(name.text));
  }
  const auto is_named = [&](const Option& field) { return field.name == name.text; };
  const auto table = std::find_if(option.fields.begin(), option.fields.end(), is_named);
  if (table == option.fields.end()) {
    const std::vector<std::string> known = names(option.fields);
    fail(name.where,
         "unknown modifier " + in_quotes(name.text) +
             did_you_mean(name.text, known, "; the modifiers are " + join(known, "and")));
  }
  const YamlNode& options = node.items[0];
  if (options.kind == YamlNode::Kind::Null) {
    const auto is_required = [](const Option& field) { return field.required; };
    const auto required = std::find_if(table->fields.begin(), table->fields.end(), is_required);
    fail(options.command_line ? options.where : name.where,
         "'" + name.text + "' has no value: " +
             (required == table->fields.end() ? "write {} for its defaults"
                                              : "write its options" + such_as(*required)));
  }
  if (options.kind != YamlNode::Kind::Mapping) {
    fail(options.where,
         "'" + name.text + "' must be a mapping (key: value), found " + found(options));
  }
  return mapping(options, *table, name.text, name.where);
}

}  // namespace

OptionValues read_options(const YamlNode& mapping,
                          const std::shared_ptr<const Option>& table,
                          const Folders& folders) {
  return Reader(table, folders).mapping(mapping, *table, "", mapping.where);
}

}  // namespace oneshot::recipes
