#include "cli/job.h"

#include <sched.h>

#include <fstream>
#include <set>
#include <sstream>

#include "engine/error.h"
#include "formats/registry.h"
#include "modifiers/registry.h"
#include "recipes/yaml_text.h"

namespace oneshot::cli {
namespace {

std::string read_text(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream || std::filesystem::is_directory(file)) {
    throw Error(ErrorCode::Recipe,
                file.string() + ": the recipe cannot be read; is the path right?");
  }
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// What a recipe extends: a regular file, of which no more is read than a recipe may have.
std::optional<std::string> read_base(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    return std::nullopt;
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return std::nullopt;
  }
  std::string text(recipes::kLargestText + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  return text;
}

const ModifierKind& kind_of(const std::string& name) {
  for (const ModifierKind& kind : modifiers()) {
    if (kind.name == name) {
      return kind;
    }
  }
  throw Error(ErrorCode::Failed, "no modifier '" + name + "'");
}

std::unique_ptr<Format> make_format(const std::string& name) {
  for (const FormatEntry& entry : formats()) {
    if (entry.name == name) {
      return entry.make();
    }
  }
  throw Error(ErrorCode::Failed, "no format '" + name + "'");
}

/// The formats of the recipe, else the one that its modifiers agree on.
std::vector<std::string> format_names(const recipes::Recipe& recipe) {
  if (!recipe.output.formats.empty()) {
    return recipe.output.formats;
  }
  std::set<std::string> defaults;
  for (const recipes::ModifierEntry& entry : recipe.modifiers) {
    defaults.insert(kind_of(entry.name).default_format);
  }
  if (defaults.size() > 1) {
    throw Error(ErrorCode::Recipe,
                recipe.file +
                    ": its modifiers write different formats by default; say which one with "
                    "`output: {formats: […]}`");
  }
  return {*defaults.begin()};
}

DatasetFormat dataset_format(const std::string& name) {
  return name == "json"    ? DatasetFormat::Json
         : name == "jsonl" ? DatasetFormat::JsonLines
         : name == "text"  ? DatasetFormat::Text
                           : DatasetFormat::Auto;
}

ShortSamples short_samples(recipes::ShortRows rows) {
  return rows == recipes::ShortRows::Pad    ? ShortSamples::Pad
         : rows == recipes::ShortRows::Pack ? ShortSamples::Pack
                                            : ShortSamples::Drop;
}

EvaluationRequest evaluation_of(const recipes::Recipe& recipe) {
  const recipes::EvaluationOptions& options = *recipe.evaluation;
  EvaluationRequest request;
  request.text = options.text;
  request.choices = options.choices;
  request.generate = options.generate;
  request.samples = options.samples.value_or(0);
  request.sequence_length = options.sequence_length;
  request.max_perplexity_ratio = options.max_perplexity_ratio;
  request.tokenizer = recipe.model.tokenizer;
  request.where = options.where;
  request.formats = all_formats;
  return request;
}

}  // namespace

recipes::Recipe read_recipe(const RecipeArguments& arguments) {
  recipes::ParseInput input;
  input.text = read_text(arguments.recipe);
  input.file = arguments.recipe.string();
  input.overrides = arguments.overrides;
  if (!arguments.vision_tower.empty()) {  // quoted: a path may hold what YAML gives a meaning
    input.overrides.push_back("model.vision_tower=" +
                              nlohmann::json(arguments.vision_tower.string()).dump());
  }
  input.override_folder = std::filesystem::current_path();
  input.read_base = read_base;
  std::vector<std::string> format_names;
  for (const FormatEntry& entry : formats()) {
    format_names.emplace_back(entry.name);
  }
  return recipes::parse_recipe(input, modifier_syntax(), format_names);
}

Job make_job(const recipes::Recipe& recipe) {
  Job job;
  job.warnings = recipe.warnings;
  bool needs_calibration = false;
  for (const recipes::ModifierEntry& entry : recipe.modifiers) {
    job.modifiers.push_back(kind_of(entry.name).make(entry, recipe));
    needs_calibration = needs_calibration || job.modifiers.back()->traits().needs_calibration;
  }
  if (recipe.evaluation) {
    job.evaluation = evaluation_of(recipe);
  }
  if (recipe.calibration && !needs_calibration) {
    job.warnings.push_back(recipe.calibration->where +
                           ": `calibration:` is not used: no modifier needs data");
  }
  for (const std::string& name : format_names(recipe)) {
    job.formats.push_back(make_format(name));
  }
  job.cast = recipe.model.dtype;
  job.shard_size = static_cast<uint64_t>(recipe.output.shard_size);
  if (needs_calibration) {
    job.calibration = calibration_request(recipe);
  }
  job.tokenizer = recipe.model.tokenizer.value_or("");
  job.vision_tower = recipe.model.vision_tower.value_or("");
  job.resolved_recipe = recipe.resolved();
  return job;
}

std::vector<std::unique_ptr<Format>> all_formats() {
  std::vector<std::unique_ptr<Format>> all;
  for (const FormatEntry& entry : formats()) {
    all.push_back(entry.make());
  }
  return all;
}

std::optional<CalibrationRequest> calibration_request(const recipes::Recipe& recipe) {
  if (!recipe.calibration) {
    return std::nullopt;
  }
  const recipes::CalibrationOptions& options = *recipe.calibration;
  CalibrationRequest request;
  for (const recipes::DatasetOptions& dataset : options.datasets) {
    request.datasets.push_back({dataset.path,
                                dataset.samples,
                                dataset.field,
                                dataset_format(dataset.format),
                                dataset.where});
  }
  request.samples = options.samples;
  request.sequence_length = options.sequence_length;
  request.seed = options.seed;
  request.shuffle = options.shuffle;
  if (options.short_rows) {
    request.short_samples = short_samples(*options.short_rows);
  }
  request.special_tokens = options.special_tokens;
  request.chat_template = options.chat_template;
  request.extra_data_dir = options.extra_data_dir;
  request.template_file = options.template_file;
  request.allow_fewer = options.allow_fewer;
  request.where = options.where;
  return request;
}

void check_device(const std::string& device) {
  if (device != "cpu") {
    throw Error(ErrorCode::Unsupported,
                "--device " + device + ": this build knows the device cpu only");
  }
}

int thread_count(int asked) {
  if (asked > 0) {
    return asked;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace oneshot::cli
