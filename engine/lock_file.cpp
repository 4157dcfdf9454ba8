#include "engine/lock_file.h"

#include <fstream>

#include "engine/calibrate.h"
#include "engine/checkpoint/sha256.h"
#include "engine/kernels/kernel_table.h"
#include "engine/version.h"

namespace oneshot {
namespace {

using nlohmann::json;

json source_json(const SourceCheckpoint& source, bool hash_contents) {
  json files = json::object();
  for (size_t i = 0; i < source.weight_files().size(); ++i) {
    const SourceWeights& file = source.weight_files()[i];
    json& entry = files[file.name];
    entry = {{"bytes", file.size}, {"header_sha256", file.header_sha256}};
    if (hash_contents) {
      entry["sha256"] = sha256_file_hex(source.file(i).path());
    }
  }
  return files;
}

json decisions_json(const Plan& plan) {
  json decisions = json::object();
  for (const PlannedModule& module : plan.modules) {
    if (module.scheme) {
      decisions[module.weight->name] = {{"becomes", describe(*module.scheme)},
                                        {"rule", module.rule}};
    }
  }
  for (const PlannedCache& cache : plan.caches) {
    decisions[cache.attention] = {{"becomes", "scales of keys and values"},
                                  {"rule", "kv_cache_scheme"}};
  }
  for (const PlannedTensor& tensor : plan.kept) {
    const std::string dtype(dtype_name(tensor.dtype));
    const bool cast = tensor.dtype != tensor.source->dtype;
    decisions[tensor.source->name] = {{"becomes", cast ? "cast to " + dtype : "copy"},
                                      {"rule", plan.modules[tensor.module].rule}};
  }
  for (const PlannedTensor& tensor : plan.left) {
    decisions[tensor.source->name] = {{"becomes", "stays in the vision tower's folder"},
                                      {"rule", plan.modules[tensor.module].rule}};
  }
  return decisions;
}

}  // namespace

json make_lock(const Job& job,
               const SourceCheckpoint& source,
               const Plan& plan,
               const CalibrationData& data,
               bool hash_contents) {
  json formats = json::array();
  for (const auto& format : job.formats) {
    formats.push_back(format->name());
  }
  return {
      {"engine_version", kEngineVersion},
      {"recipe_sha256", sha256_hex(job.resolved_recipe)},
      {"calibration_sha256", job.calibration ? json(data.sha256) : json(nullptr)},
      {"seed", job.calibration ? json(job.calibration->seed) : json(nullptr)},
      {"device", "cpu"},
      {"instruction_set", kernels::cpu_instruction_set()},
      {"compute_dtype", job.calibration ? calibration_dtype_name(plan) : "as the weight"},
      {"samples_at_once", plan.samples_at_once > 0 ? json(plan.samples_at_once) : json(nullptr)},
      {"formats", formats},
      {"source", source_json(source, hash_contents)},
      {"config_sha256", sha256_file_hex(source.folder() / "config.json")},
      {"tensors", decisions_json(plan)},
  };
}

std::optional<json> read_lock(const std::filesystem::path& output) {
  std::ifstream file(output / kLockFile);
  json lock = json::parse(file, nullptr, false);
  return lock.is_discarded() ? std::nullopt : std::optional(std::move(lock));
}

}  // namespace oneshot
