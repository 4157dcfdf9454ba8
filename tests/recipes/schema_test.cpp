// The JSON Schema and the reference are made from the tables: nothing of them may be missing.
#include "recipes/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "recipes/recipe_options.h"
#include "tests/recipes/recipe_language.h"

namespace oneshot::recipes {
namespace {

using nlohmann::json;

/// The part of an option's schema that describes its mapping.
json mapping_of(const json& schema, const Option& option) {
  switch (option.type) {
    case OptionType::TextOrMapping:
      return schema.at("anyOf").at(1);
    case OptionType::PathOrMappings:
      return schema.at("anyOf").at(1).at("items");
    case OptionType::Modifiers:
      return schema.at("items");
    case OptionType::ByPattern:
      return schema.at("additionalProperties");
    default:
      return schema;
  }
}

bool tells_all(const json& property, const Option& option) {
  return !option.description.empty() && property.at("description") == option.description &&
         property.contains("default") == option.fallback.has_value() &&
         property.contains("examples") == !option.example.empty();
}

/// Names of the options, of `option` and below, that the schema does not tell all about.
void collect_gaps(const json& schema, const Option& option, std::vector<std::string>& gaps) {
  const json mapping = mapping_of(schema, option);
  std::set<std::string> required;
  for (const Option& field : option.fields) {
    const json& property = mapping.at("properties").at(field.name);
    if (!tells_all(property, field)) {
      gaps.push_back(field.name);
    }
    if (field.required) {
      required.insert(field.name);
    }
    if (!field.fields.empty()) {
      collect_gaps(property, field, gaps);
    }
  }
  if (mapping.at("type") != "object" || mapping.at("additionalProperties") != false ||
      mapping.at("properties").size() != option.fields.size() ||
      mapping.value("required", std::set<std::string>{}) != required) {
    gaps.push_back("the mapping of " + option.name);
  }
}

TEST(Schema, HasEveryOptionOfTheTables) {
  const json schema = recipe_schema(test_modifiers(), test_formats());
  std::vector<std::string> gaps;
  collect_gaps(schema, recipe_table(test_modifiers(), test_formats()), gaps);
  EXPECT_THAT(gaps, testing::IsEmpty());
}

using Kind = bool (json::*)() const noexcept;

/// The keywords of draft-07 that we use, and what the value of each must be.
const std::map<std::string, Kind>& keywords() {
  static const std::map<std::string, Kind> kKeywords = {
      {"$schema", &json::is_string},
      {"title", &json::is_string},
      {"description", &json::is_string},
      {"default", nullptr},  // anything
      {"examples", &json::is_array},
      {"type", &json::is_string},
      {"enum", &json::is_array},
      {"anyOf", &json::is_array},
      {"minimum", &json::is_number},
      {"exclusiveMinimum", &json::is_number},
      {"maximum", &json::is_number},
      {"minLength", &json::is_number_integer},
      {"pattern", &json::is_string},
      {"items", &json::is_object},
      {"minItems", &json::is_number_integer},
      {"maxItems", &json::is_number_integer},
      {"properties", &json::is_object},
      {"required", &json::is_array},
      {"minProperties", &json::is_number_integer},
      {"maxProperties", &json::is_number_integer},
      {"additionalProperties", nullptr},  // false, or a schema
  };
  return kKeywords;
}

void collect_problems(const json& schema, std::vector<std::string>& problems) {
  for (const auto& [name, value] : schema.items()) {
    const auto keyword = keywords().find(name);
    if (keyword == keywords().end() || (keyword->second && !(value.*keyword->second)())) {
      problems.push_back(name + ": " + value.dump());
    }
  }
  for (const char* several : {"properties", "anyOf"}) {
    for (const json& inner : schema.value(several, json::array())) {
      collect_problems(inner, problems);
    }
  }
  for (const char* one : {"items", "additionalProperties"}) {
    if (schema.contains(one) && schema.at(one) != false) {
      collect_problems(schema.at(one), problems);
    }
  }
}

TEST(Schema, IsDraft07) {
  const json schema = recipe_schema(test_modifiers(), test_formats());
  EXPECT_EQ(schema.at("$schema"), "http://json-schema.org/draft-07/schema#");
  std::vector<std::string> problems;
  collect_problems(schema, problems);
  EXPECT_THAT(problems, testing::IsEmpty());
}

TEST(Schema, ValuesHaveTheirTypes) {
  const json schema = recipe_schema(test_modifiers(), test_formats());
  const json& sign_round =
      schema.at("properties").at("modifiers").at("items").at("properties").at("sign_round");
  const json& options = sign_round.at("properties");
  EXPECT_EQ(options.at("iterations").at("default"), 200);
  EXPECT_EQ(options.at("iterations").at("minimum"), 0);
  EXPECT_EQ(options.at("iterations").at("examples"), json::array({1000}));
  EXPECT_EQ(options.at("learning_rate").at("exclusiveMinimum"), 0);
  EXPECT_EQ(options.at("allow_unmatched").at("default"), false);
  EXPECT_EQ(options.at("ignore").at("default"), json::array());
  EXPECT_EQ(options.at("quality").at("enum"), json::array({"light", "default", "best"}));
  EXPECT_EQ(schema.at("properties").at("output").at("properties").at("shard_size").at("default"),
            "5GB");
}

/// Parses "NAME: VALUE" of every option as the value of that option.
void expect_examples(const Option& option) {
  for (const Option& field : option.fields) {
    if (!field.example.empty()) {
      EXPECT_EQ(field.example.substr(0, field.name.size() + 2), field.name + ": ");
    }
    expect_examples(field);
  }
}

TEST(Schema, ExamplesAreLinesOfARecipe) {
  expect_examples(recipe_table(test_modifiers(), test_formats()));
}

TEST(Reference, IsTheGolden) {
  const std::string reference = recipe_reference(test_modifiers(), test_formats());
  EXPECT_EQ(reference, golden(ONESHOT_TEST_DATA "/recipes/reference.md", reference))
      << "the tables have changed: run this test with ONESHOT_UPDATE_GOLDENS=1";
}

TEST(Reference, NamesEveryOption) {
  const std::string reference = recipe_reference(test_modifiers(), test_formats());
  for (const char* name :
       {"`sequence_length`", "`iterations`", "`fp_layers`", "`block_structure`"}) {
    EXPECT_NE(reference.find(name), std::string::npos) << name;
  }
  const std::string shared = "### `scheme.weights`";
  const size_t first = reference.find(shared);
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(reference.find(shared, first + 1), std::string::npos) << "written once for all";
}

}  // namespace
}  // namespace oneshot::recipes
