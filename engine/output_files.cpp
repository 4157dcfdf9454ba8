#include "engine/output_files.h"

#include <algorithm>

#include "engine/checkpoint/file_io.h"
#include "engine/checkpoint/small_file.h"

namespace oneshot {
namespace {

/// Name that config.json uses for a dtype.
std::string config_dtype(Dtype dtype) {
  return dtype == Dtype::F16 ? "float16" : dtype == Dtype::Bf16 ? "bfloat16" : "float32";
}

/// The config's dtype follows a cast, in its parts too.
void set_dtype(nlohmann::json& config, const std::string& dtype) {
  for (const char* key : {"dtype", "torch_dtype"}) {
    if (config.contains(key)) {
      config[key] = dtype;
    }
  }
  for (auto& [key, part] : config.items()) {
    if (part.is_object() && key.ends_with("_config")) {
      set_dtype(part, dtype);
    }
  }
}

/// Whether the shards hold a tower that is a checkpoint of its own in the source.
bool writes_tower(const Plan& plan, const SourceCheckpoint& source) {
  return plan.left.empty() &&
         std::any_of(source.tensors().begin(),
                     source.tensors().end(),
                     [&](const SourceTensor& one) { return source.is_in_tower(one); });
}

/// A tower from elsewhere leaves its small files where config.json names it, so that the output
/// says itself how its tower is built and its images are prepared.
void copy_tower_configs(const SourceCheckpoint& source, const std::filesystem::path& folder) {
  const std::filesystem::path place = tower_place(source.config());
  for (const char* name : {"config.json", "preprocessor_config.json"}) {
    const std::filesystem::path from = source.tower_folder() / name;
    const std::filesystem::path to = folder / place / name;
    if (!place.empty() && std::filesystem::exists(from) && !std::filesystem::exists(to)) {
      copy_file_bytes(from, to);
    }
  }
}

}  // namespace

nlohmann::json output_config(const SourceCheckpoint& source, std::optional<Dtype> cast) {
  nlohmann::json config = source.config();
  if (cast) {
    const std::string dtype = config_dtype(*cast);
    set_dtype(config, dtype);
    if (!config.contains("dtype") && !config.contains("torch_dtype")) {
      config["dtype"] = dtype;
    }
  }
  return config;
}

std::vector<std::string> left_tower_files(const Plan& plan, const SourceCheckpoint& source) {
  return writes_tower(plan, source) ? source.tower_weight_files() : std::vector<std::string>();
}

void write_output_files(const PlannedOutput& output,
                        const Plan& plan,
                        const SourceCheckpoint& source,
                        const nlohmann::json& config,
                        const std::filesystem::path& folder) {
  const std::vector<std::string> left = left_tower_files(plan, source);
  for (const std::string& file : source.copied_files()) {
    if (std::find(left.begin(), left.end(), file) != left.end()) {
      continue;
    }
    copy_file_bytes(source.folder() / file, folder / file);
  }
  if (writes_tower(plan, source) && !source.is_tower_inside()) {
    copy_tower_configs(source, folder);
  }
  for (const SmallFile& file : output.format->files(plan, config)) {
    write_small_file(folder / file.name, file.text);
  }
  if (const auto index = output.layout.index_json()) {
    write_small_file(folder / "model.safetensors.index.json", *index);
  }
}

}  // namespace oneshot
