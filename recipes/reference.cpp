#include <set>

#include "recipes/option_scalar.h"
#include "recipes/recipe_error.h"
#include "recipes/recipe_options.h"
#include "recipes/schema.h"

namespace oneshot::recipes {
namespace {

constexpr const char* kIntroduction =
    R"(# The recipe language

Generated from the tables that parse recipes; do not edit. `oneshot schema` prints the same as a JSON Schema.

- A recipe is one YAML document. Unknown and duplicate keys are errors, and so are tags, merge keys and tabs in the indentation.
- A list of texts may be a single text. Booleans are `true` and `false`; whole numbers are plain digits.
- A path is relative to the recipe's folder, in `--set` to the current one. `--set modifiers.0.iterations=10` changes one value.
- `extends: base.yaml` builds on another recipe, relative to the file it stands in, through chains of any length. Mappings merge key by key, everything else (lists, so `modifiers` too) is replaced; `null` takes out what the base says, so that the default holds again. Each file has its `version`; relative paths start at the folder of the file they stand in; `--set` comes last.
- Sizes are bytes: `5000000000`, `5GB` (powers of 1000) or `8GiB` (of 1024).
- Put a regular expression in single quotes: `'re:.*\.mlp\..*'`. It is RE2, matched from the start of the name, open at its end.

## A recipe of llm-compressor's

A file whose keys at the top end in `_stage` is read as what llm-compressor wrote or reads; a warning says what it became.

- Stages and groups are concatenated in the order of the file. `QuantizationModifier` is `quantize` with `allow_unmatched: true`, and each pattern that fits no module is a warning. Its other modifiers, a `kv_cache_scheme` other than FP8, `output_activations`, `actorder`, and observers other than minmax and mse are exit 4.
- Keys that llm-compressor skips (`args`, `run_type`, notes) are warnings; one that holds modifiers, or is a word of ours, is exit 2.
- `scheme` is a preset or a mapping of presets to targets; `config_groups` have weights and input_activations. Each of several groups becomes a `quantize`; a module belongs to the group whose target decides: exact name before regular expression (by its text) before class.
- `--set` and a recipe that `extends` such a file use our names: `--set calibration.dataset=x.jsonl`, `--set modifiers.0.scheme=W8A16`.
- Regular expressions are RE2: lookaround is exit 2. JSON is YAML and is read; Markdown is not.
)";

std::string code(const std::string& text) {
  return "`" + text + "`";
}

std::string code_list(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  quoted.reserve(words.size());
  for (const std::string& word : words) {
    quoted.push_back(code(word));
  }
  return join(quoted);
}

std::string range(const Option& option) {
  std::string text;
  if (option.minimum && option.minimum == option.maximum) {
    return " " + number_text(*option.minimum);
  }
  if (option.minimum) {
    text += (option.above_minimum ? " above " : " from ") + number_text(*option.minimum);
  }
  if (option.maximum) {
    text += " to " + number_text(*option.maximum);
  }
  return text;
}

std::string value_text(const Option& option) {
  const std::string words = code_list(option.words);
  std::string text = words.empty() ? "text" : words;
  switch (option.type) {
    case OptionType::Bool:
      return code_list({"true", "false"});
    case OptionType::Int:
      return "whole number" + range(option);
    case OptionType::Float:
      return "number" + range(option);
    case OptionType::Text:
      return text;
    case OptionType::TextList:
      return words.empty() ? "list of texts" : "list of " + words;
    case OptionType::Patterns:
      return "list of patterns";
    case OptionType::Path:
      return words.empty() ? "path" : words + ", or a path";
    case OptionType::ImageFolder:
      return "path, or `image=DIR` among others";
    case OptionType::Size:
      return "size";
    case OptionType::IntPair:
      return "two whole numbers";
    case OptionType::Mapping:
      return "mapping";
    case OptionType::TextOrMapping:
      return text + ", or a mapping";
    case OptionType::ByPattern:
      return "mapping of patterns to mappings";
    case OptionType::PathOrMappings:
      return "path, or a list of mappings";
    case OptionType::Modifiers:
      return "list of modifiers";
  }
  return {};
}

std::string table(const std::vector<Option>& fields) {
  std::string text = "\n| key | value | default | |\n|---|---|---|---|\n";
  for (const Option& field : fields) {
    const std::string fallback = field.required   ? "required"
                                 : field.fallback ? code(*field.fallback)
                                                  : "";
    const std::string example = field.example.empty() ? "" : " Example: " + code(field.example);
    for (const std::string& cell :
         {code(field.name), value_text(field), fallback, field.description + example}) {
      text.append("| ").append(cell).append(" ");
    }
    text += "|\n";
  }
  return text;
}

/// Writes a section for every mapping below, once where several modifiers share it.
class Sections {
 public:
  void add(const std::vector<Option>& fields, const std::string& inside) {
    for (const Option& field : fields) {
      if (field.fields.empty() || field.type == OptionType::Modifiers) {
        continue;
      }
      const std::string name = inside.empty() ? field.name : inside + "." + field.name;
      const std::string section =
          (inside.empty() ? "\n## " : "\n### ") + code(name) + "\n" + table(field.fields);
      if (written_.insert(section).second) {
        text_ += section;
      }
      add(field.fields, name);
    }
  }

  void add_modifier(const Option& modifier) {
    text_ += "\n## modifier " + code(modifier.name) + "\n\n" + modifier.description + "\n";
    text_ += modifier.fields.empty() ? "\nNo options.\n" : table(modifier.fields);
    add(modifier.fields, "");
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::set<std::string> written_;
};

}  // namespace

std::string recipe_reference(std::span<const ModifierSyntax> modifiers,
                             std::span<const std::string> known_formats) {
  const Option recipe = recipe_table(modifiers, known_formats);
  Sections sections;
  sections.add(recipe.fields, "");
  for (const Option& field : recipe.fields) {
    if (field.type == OptionType::Modifiers) {
      for (const Option& modifier : field.fields) {
        sections.add_modifier(modifier);
      }
    }
  }
  return kIntroduction + std::string("\n## A recipe\n") + table(recipe.fields) + sections.text();
}

}  // namespace oneshot::recipes
