// A recipe: what the user wrote, checked, with every default filled in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/quant/dtype.h"
#include "recipes/option.h"

namespace oneshot::recipes {

/// A modifier, as the recipe language sees it. The modifiers' registry hands these over.
struct ModifierSyntax {
  std::string name;
  std::string summary;
  std::vector<Option> options;
};

struct ModelOptions {
  std::optional<Dtype> dtype;  // F16, Bf16 or F32; nothing: auto
  std::optional<std::filesystem::path> tokenizer;
  std::optional<std::filesystem::path> vision_tower;
};

/// One file of samples.
struct DatasetOptions {
  std::filesystem::path path;
  std::optional<int64_t> samples;
  std::optional<std::string> field;
  std::string format;  // auto, json, jsonl, text
  std::string where;
};

/// What becomes of rows with fewer tokens than a sample.
enum class ShortRows { Drop, Pad, Pack };

struct CalibrationOptions {
  std::vector<DatasetOptions> datasets;  // `dataset`; at least one
  int64_t samples = 0;
  int64_t sequence_length = 0;
  uint64_t seed = 0;
  bool shuffle = false;
  std::optional<ShortRows> short_rows;  // `short`; nothing: drop text, pad rows with an image
  bool special_tokens = false;
  std::string chat_template;  // auto, none, or the absolute path of a file
  std::optional<std::filesystem::path> extra_data_dir;
  std::optional<std::filesystem::path> template_file;  // `template`
  bool allow_fewer = false;
  std::string where;
};

/// One step of the recipe.
struct ModifierEntry {
  std::string name;
  OptionValues options;
  std::string where;  // of its name
  size_t index = 0;   // from 0
};

struct OutputOptions {
  std::vector<std::string> formats;  // names with underscores; empty: the modifier's default
  int64_t shard_size = 0;            // bytes
  std::string where;                 // of the formats
};

struct EvaluationOptions {
  std::optional<std::filesystem::path> text;
  std::optional<std::filesystem::path> choices;
  std::optional<std::string> generate;
  std::optional<int64_t> samples;  // windows; nothing: all
  int64_t sequence_length = 0;
  std::optional<double> max_perplexity_ratio;
  std::string where;
};

/// All paths are absolute.
struct Recipe {
  std::string file;
  ModelOptions model;
  std::optional<CalibrationOptions> calibration;  // nothing: data-free
  std::vector<ModifierEntry> modifiers;           // in execution order; at least one
  OutputOptions output;
  std::optional<EvaluationOptions> evaluation;
  OptionValues values;                // all of the above, as checked: what resolved() writes
  std::vector<std::string> warnings;  // what the user should know of how it was read

  /// The whole recipe as YAML with every default written out; parsing it in place of the file gives
  /// the same recipe. Paths of the file stand as they were written there, relative ones of the
  /// command line, and of recipes in other folders that it extends, as absolute ones.
  std::string resolved() const;
};

/// The text of a file that a recipe extends; nothing when it cannot be read. Only kLargestText and
/// one more byte of it are needed.
using ReadBase = std::function<std::optional<std::string>(const std::filesystem::path&)>;

struct ParseInput {
  std::string text;
  std::string file;                       // for messages; relative paths start at its folder
  std::vector<std::string> overrides;     // of --set: "modifiers.0.iterations=10"
  std::filesystem::path override_folder;  // where relative paths in those start
  ReadBase read_base = {};                // unset: no file can be read
};

/// Throws Recipe, in one line that begins with the position: "recipe.yaml:7:14: …", or
/// "--set modifiers.0.iteration=10: …"; Unsupported for what of an llm-compressor recipe is not
/// there yet. Opens no file but through `read_base`.
Recipe parse_recipe(const ParseInput& input,
                    std::span<const ModifierSyntax> modifiers,
                    std::span<const std::string> known_formats);

}  // namespace oneshot::recipes
