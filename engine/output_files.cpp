#include "engine/output_files.h"

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

void write_output_files(const PlannedOutput& output,
                        const Plan& plan,
                        const SourceCheckpoint& source,
                        const nlohmann::json& config,
                        const std::filesystem::path& folder) {
  for (const std::string& file : source.copied_files()) {
    copy_file_bytes(source.folder() / file, folder / file);
  }
  for (const SmallFile& file : output.format->files(plan, config)) {
    write_small_file(folder / file.name, file.text);
  }
  if (const auto index = output.layout.index_json()) {
    write_small_file(folder / "model.safetensors.index.json", *index);
  }
}

}  // namespace oneshot
