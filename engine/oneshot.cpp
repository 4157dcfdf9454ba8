#include "engine/oneshot.h"

#include <chrono>

#include "engine/calibrate.h"
#include "engine/checkpoint/file_io.h"
#include "engine/checkpoint/small_file.h"
#include "engine/checkpoint/work_folder.h"
#include "engine/error.h"
#include "engine/kernels/kernel_table.h"
#include "engine/lock_file.h"
#include "engine/models/registry.h"
#include "engine/stream.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

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

nlohmann::json output_config(const Job& job, const SourceCheckpoint& source) {
  nlohmann::json config = source.config();
  if (job.cast) {
    const std::string dtype = config_dtype(*job.cast);
    set_dtype(config, dtype);
    if (!config.contains("dtype") && !config.contains("torch_dtype")) {
      config["dtype"] = dtype;
    }
  }
  return config;
}

/// One checkpoint but for its weights: config, index, and what is copied byte for byte.
void write_small_files(const PlannedOutput& output,
                       const Plan& plan,
                       const SourceCheckpoint& source,
                       const nlohmann::json& config,
                       const fs::path& folder) {
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

/// Whether a folder may be replaced: it is empty, or a checkpoint.
bool looks_like_an_output(const fs::path& folder) {
  return fs::is_directory(folder) && (fs::is_empty(folder) || fs::exists(folder / kLockFile) ||
                                      fs::exists(folder / "config.json"));
}

/// True when the output is there already and was made from the same; throws when it is in the way.
bool is_up_to_date(const RunOptions& options, const nlohmann::json& lock) {
  if (!fs::exists(options.output)) {
    return false;
  }
  if (read_lock(options.output) == lock) {
    return true;
  }
  if (!options.overwrite) {
    throw Error(
        ErrorCode::Recipe,
        options.output.string() +
            ": the output exists and was made from something else; choose another --output, or "
            "replace it with --overwrite");
  }
  if (!looks_like_an_output(options.output)) {
    throw Error(
        ErrorCode::Recipe,
        options.output.string() +
            ": --overwrite replaces checkpoints only, and this is none; choose another --output");
  }
  return false;
}

}  // namespace

Plan plan_job(const Job& job,
              const SourceCheckpoint& source,
              int threads,
              std::optional<uint64_t> memory) {
  PlanRequest request;
  request.source = &source;
  for (const auto& modifier : job.modifiers) {
    request.modifiers.push_back(modifier.get());
  }
  for (const auto& format : job.formats) {
    request.formats.push_back(format.get());
  }
  request.cast = job.cast;
  request.shard_size = job.shard_size;
  request.threads = threads;
  request.memory = memory;
  if (job.calibration) {
    request.samples = job.calibration->samples;
    request.sequence_length = job.calibration->sequence_length;
    make_model(source.config());  // refuses what cannot be run before anything is read
  }
  Plan plan = make_plan(request);
  if (job.evaluation) {
    check_evaluation(*job.evaluation, plan, source.config());
  }
  return plan;
}

namespace {

CalibrateRequest calibrate_request(const Job& job,
                                   const Plan& plan,
                                   const fs::path& model,
                                   const WorkFolder& work,
                                   const CalibrationData& data) {
  CalibrateRequest request;
  request.plan = &plan;
  for (const auto& modifier : job.modifiers) {
    request.modifiers.push_back(modifier.get());
  }
  request.model = model;
  request.folder = work.staging();
  request.rows = data.rows;
  return request;
}

}  // namespace

Report run_job(const Job& job, const RunOptions& options, RunListener& listener) {
  const auto start = Clock::now();
  Report report;
  report.warnings = job.warnings;
  report.instruction_set = kernels::cpu_instruction_set();

  const SourceCheckpoint source(options.model);
  const Plan plan = plan_job(job, source, options.threads, options.memory);
  summarize_plan(plan, report);
  report.left_out_files = source.left_out_files();
  listener.on_plan(plan);

  const CalibrationData data = load_job_data(job, source);
  report.warnings.insert(report.warnings.end(), data.warnings.begin(), data.warnings.end());
  report.samples = data.rows.size();
  const nlohmann::json lock = make_lock(job, source, plan, data, options.hash_contents);
  report.up_to_date = is_up_to_date(options, lock);
  report.output = fs::absolute(options.output).string();
  if (report.up_to_date) {
    return report;
  }
  WorkFolder work(options.output, options.model);
  report.phase_seconds["plan"] = seconds_since(start);
  std::optional<RunEvaluation> evaluation;  // measures the source here, the output below
  if (job.evaluation) {
    evaluation.emplace(
        *job.evaluation, EvaluationSetup{options.model, options.threads, options.memory}, listener);
  }

  const auto calibration_start = Clock::now();
  CalibrationResults calibrated;
  if (job.calibration) {
    calibrated = calibrate(calibrate_request(job, plan, options.model, work, data), listener);
    report.phase_seconds["calibration"] = seconds_since(calibration_start);
  }

  StreamRequest stream;
  stream.calibrated = &calibrated;
  stream.plan = &plan;
  stream.source = &source;
  for (const auto& modifier : job.modifiers) {
    stream.modifiers.push_back(modifier.get());
  }
  for (const PlannedOutput& output : plan.outputs) {
    stream.folders.push_back(output.folder.empty() ? work.staging()
                                                   : work.staging() / output.folder);
    fs::create_directories(stream.folders.back());
  }
  const auto weights_start = Clock::now();
  stream_weights(stream, listener);
  report.phase_seconds["weights"] = seconds_since(weights_start);

  const auto files_start = Clock::now();
  const nlohmann::json config = output_config(job, source);
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    write_small_files(plan.outputs[i], plan, source, config, stream.folders[i]);
  }
  write_small_file(work.staging() / "recipe.yaml", job.resolved_recipe);
  write_small_file(work.staging() / kLockFile, lock.dump(2) + "\n");
  report.phase_seconds["files"] = seconds_since(files_start);
  if (evaluation) {
    report.evaluation =
        std::make_shared<nlohmann::json>(evaluation->compare_with(stream.folders.front()));
  }
  report.seconds = seconds_since(start);
  report.peak_memory_bytes = peak_memory_bytes();
  write_small_file(work.staging() / "report.json", report_json(report).dump(2) + "\n");
  work.commit(options.overwrite);
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace oneshot
