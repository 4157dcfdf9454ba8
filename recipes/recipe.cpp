#include "recipes/recipe.h"

#include <algorithm>

#include "recipes/option_reader.h"
#include "recipes/recipe_error.h"
#include "recipes/recipe_options.h"
#include "recipes/recipe_tree.h"

namespace oneshot::recipes {
namespace {

using std::filesystem::path;

std::optional<path> optional_path(const OptionValues& options, const std::string& name) {
  return options.has(name) ? std::optional(options.path(name)) : std::nullopt;
}

std::optional<std::string> optional_text(const OptionValues& options, const std::string& name) {
  return options.has(name) ? std::optional(options.text(name)) : std::nullopt;
}

std::optional<int64_t> optional_integer(const OptionValues& options, const std::string& name) {
  return options.has(name) ? std::optional(options.integer(name)) : std::nullopt;
}

ModelOptions read_model(const OptionValues& options) {
  ModelOptions model;
  const std::string& dtype = options.text("dtype");
  if (dtype != "auto") {
    model.dtype = dtype == "float16" ? Dtype::F16 : dtype == "bfloat16" ? Dtype::Bf16 : Dtype::F32;
  }
  model.tokenizer = optional_path(options, "tokenizer");
  model.vision_tower = optional_path(options, "vision_tower");
  return model;
}

std::vector<DatasetOptions> read_datasets(const OptionValues& options) {
  if (!options.is_mapping("dataset")) {
    return {{.path = options.path("dataset"), .format = "auto", .where = options.where("dataset")}};
  }
  std::vector<DatasetOptions> datasets;
  for (const OptionValues& one : options.mappings("dataset")) {
    datasets.push_back({.path = one.path("path"),
                        .samples = optional_integer(one, "samples"),
                        .field = optional_text(one, "field"),
                        .format = one.text("format"),
                        .where = one.where("path")});
  }
  return datasets;
}

CalibrationOptions read_calibration(const OptionValues& options) {
  CalibrationOptions calibration;
  calibration.datasets = read_datasets(options);
  calibration.samples = options.integer("samples");
  calibration.sequence_length = options.integer("sequence_length");
  calibration.seed = static_cast<uint64_t>(options.integer("seed"));
  calibration.shuffle = options.boolean("shuffle");
  if (options.has("short")) {
    const std::string& word = options.text("short");
    calibration.short_rows = word == "drop"  ? ShortRows::Drop
                             : word == "pad" ? ShortRows::Pad
                                             : ShortRows::Pack;
  }
  calibration.special_tokens = options.boolean("special_tokens");
  const path& chat_template = options.path("chat_template");  // empty for a word
  calibration.chat_template =
      chat_template.empty() ? options.text("chat_template") : chat_template.string();
  calibration.extra_data_dir = optional_path(options, "extra_data_dir");
  calibration.template_file = optional_path(options, "template");
  calibration.allow_fewer = options.boolean("allow_fewer");
  calibration.where = options.where();
  return calibration;
}

OutputOptions read_output(const OptionValues& options) {
  OutputOptions output;
  output.shard_size = options.integer("shard_size");
  output.where = options.where("formats");
  if (!options.has("formats")) {
    return output;
  }
  output.formats = options.list("formats");
  for (size_t i = 0; i < output.formats.size(); ++i) {
    const auto begin = output.formats.begin();
    if (std::count(begin, begin + static_cast<std::ptrdiff_t>(i), output.formats[i]) > 0) {
      fail(options.where_item("formats", i),
           "output: 'formats' names '" + output.formats[i] + "' twice");
    }
  }
  return output;
}

EvaluationOptions read_evaluation(const OptionValues& options) {
  if (!options.has("text") && !options.has("choices") && !options.has("generate")) {
    fail(options.where(), "evaluation: nothing to measure: write text, choices or generate");
  }
  if (options.has("max_perplexity_ratio") && !options.has("text")) {
    fail(options.where("max_perplexity_ratio"),
         "evaluation: 'max_perplexity_ratio' needs 'text', which is missing");
  }
  EvaluationOptions evaluation;
  evaluation.text = optional_path(options, "text");
  evaluation.choices = optional_path(options, "choices");
  evaluation.generate = optional_text(options, "generate");
  evaluation.samples = optional_integer(options, "samples");
  evaluation.sequence_length = options.integer("sequence_length");
  if (options.has("max_perplexity_ratio")) {
    evaluation.max_perplexity_ratio = options.number("max_perplexity_ratio");
  }
  evaluation.where = options.where();
  return evaluation;
}

}  // namespace

Recipe parse_recipe(const ParseInput& input,
                    std::span<const ModifierSyntax> modifiers,
                    std::span<const std::string> known_formats) {
  Recipe recipe{.file = input.file};
  const YamlNode root = read_tree(input, recipe.warnings);
  const auto table = std::make_shared<const Option>(recipe_table(modifiers, known_formats));
  const Folders folders{.recipe = absolute_folder(path(input.file).parent_path()),
                        .command_line = absolute_folder(input.override_folder)};

  recipe.values = read_options(root, table, folders);
  recipe.model = read_model(recipe.values.mapping("model"));
  if (recipe.values.has("calibration")) {
    recipe.calibration = read_calibration(recipe.values.mapping("calibration"));
  }
  for (const OptionValues& options : recipe.values.mappings("modifiers")) {
    const size_t index = recipe.modifiers.size();
    recipe.modifiers.push_back({options.name(), options, options.where(), index});
  }
  recipe.output = read_output(recipe.values.mapping("output"));
  if (recipe.values.has("evaluation")) {
    recipe.evaluation = read_evaluation(recipe.values.mapping("evaluation"));
  }
  return recipe;
}

}  // namespace oneshot::recipes
