#include "engine/oneshot.h"

#include <chrono>

#include "engine/calibrate.h"
#include "engine/checkpoint/small_file.h"
#include "engine/checkpoint/work_folder.h"
#include "engine/error.h"
#include "engine/graph/weight_check.h"
#include "engine/kernels/kernel_table.h"
#include "engine/lock_file.h"
#include "engine/models/registry.h"
#include "engine/output_files.h"
#include "engine/seconds_since.h"
#include "engine/stream.h"
#include "engine/vision/image_files.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

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

namespace {

/// The graph of the source, whose tensors are those that its config announces.
std::unique_ptr<ModelGraph> source_model(const SourceCheckpoint& source) {
  std::unique_ptr<ModelGraph> model = make_model(ModelSource::of(source));
  std::vector<NamedShape> tensors;
  for (const SourceTensor& tensor : source.tensors()) {
    tensors.push_back({tensor.name, tensor.shape});
  }
  check_weights(*model, tensors);
  return model;
}

}  // namespace

namespace {

Plan plan_without(const std::vector<std::string>& unseen,
                  const Job& job,
                  const SourceCheckpoint& source,
                  int threads,
                  std::optional<uint64_t> memory) {
  PlanRequest request;
  request.unseen = unseen;
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
    const std::unique_ptr<ModelGraph> model = source_model(source);
    request.hidden_size = model->sizes().hidden;
    if (model->tower() != nullptr && job.calibration->extra_data_dir) {
      const int64_t rows = model->tower()->most_rows;
      request.image_rows = rows > 0 ? rows : request.sequence_length;
    }
  }
  if (job.evaluation) {
    check_evaluation(*job.evaluation, ModelSource::of(source));
  }
  return make_plan(request);
}

}  // namespace

Plan plan_job(const Job& job,
              const SourceCheckpoint& source,
              int threads,
              std::optional<uint64_t> memory) {
  return plan_without({}, job, source, threads, memory);
}

namespace {

/// One run, a phase after the other.
class Run {
 public:
  Run(const Job& job, const RunOptions& options, RunListener& listener)
      : job_(job),
        options_(options),
        listener_(listener),
        source_(options.model, job.vision_tower),
        plan_(plan_job(job, source_, options.threads, options.memory)) {}

  Report run() {
    timed("plan", [&] { prepare(); });
    if (report_.up_to_date) {
      summarize_plan(plan_, report_);
      return report_;
    }
    WorkFolder work(options_.output, options_.model, resumption());
    std::optional<RunEvaluation> evaluation;  // measures the source here, the output below
    if (job_.evaluation) {
      timed("evaluation before", [&] {
        evaluation.emplace(
            *job_.evaluation,
            EvaluationSetup{options_.model, options_.threads, options_.memory, job_.vision_tower},
            listener_);
      });
    }
    if (job_.calibration) {
      timed("calibration", [&] { calibrate_in(work); });
    }
    summarize_plan(plan_, report_);
    const std::vector<std::string> left = left_tower_files(plan_, source_);
    report_.left_out_files.insert(report_.left_out_files.end(), left.begin(), left.end());
    make_folders(work.staging());
    timed("weights", [&] { write_weights(); });
    timed("files", [&] { write_files(work.staging()); });
    if (evaluation) {
      timed("evaluation after", [&] {
        report_.evaluation =
            std::make_shared<nlohmann::json>(evaluation->compare_with(folders_.front()));
      });
    }
    report_.seconds = seconds_since(start_);
    report_.peak_memory_bytes = peak_memory_bytes();
    write_small_file(work.staging() / "report.json", report_json(report_).dump(2) + "\n");
    work.commit(options_.overwrite);
    report_.seconds = seconds_since(start_);
    return report_;
  }

 private:
  template <typename Phase>
  void timed(const char* name, const Phase& phase) {
    const auto start = Clock::now();
    phase();
    report_.phase_seconds[name] = seconds_since(start);
  }

  /// What will be done, and whether it has been done already.
  void prepare() {
    report_.warnings = job_.warnings;
    report_.instruction_set = kernels::cpu_instruction_set();
    report_.left_out_files = source_.left_out_files();
    listener_.on_plan(plan_);
    data_ = load_job_data(job_, source_, images_);
    listener_.on_warnings(data_.warnings);
    report_.warnings.insert(report_.warnings.end(), data_.warnings.begin(), data_.warnings.end());
    report_.samples = data_.rows.size();
    report_.calibration_dtype = job_.calibration ? calibration_dtype_name(plan_) : "";
    lock_ = make_lock(job_, source_, plan_, data_, options_.hash_contents);
    report_.up_to_date = is_up_to_date(options_, lock_);
    report_.output = fs::absolute(options_.output).string();
  }

  std::vector<const Modifier*> modifiers() const {
    std::vector<const Modifier*> all;
    for (const auto& modifier : job_.modifiers) {
      all.push_back(modifier.get());
    }
    return all;
  }

  bool tunes() const {
    return std::any_of(plan_.modules.begin(), plan_.modules.end(), [](const PlannedModule& one) {
      return one.tuned;
    });
  }

  /// Only tuning is worth being resumed.
  Resumption resumption() const { return {tunes() ? lock_.dump(2) : "", options_.restart}; }

  void calibrate_in(const WorkFolder& work) {
    if (tunes()) {
      tuned_.emplace(work.progress());
    }
    CalibrateRequest request;
    request.plan = &plan_;
    request.modifiers = modifiers();
    request.source = &source_;
    request.tuned = tuned_ ? &*tuned_ : nullptr;
    request.seed = job_.calibration->seed;
    request.folder = work.staging();
    request.rows = data_.rows;
    for (size_t i = 0; i < data_.images.size(); ++i) {
      if (!data_.images[i].empty()) {
        request.with_images.push_back(i);
      }
    }
    request.load_images = [this](size_t row) { return images_.load(data_.images[row]); };
    calibrated_ = calibrate(request, listener_);
    if (!calibrated_.kept.empty()) {
      plan_ = plan_without(calibrated_.kept, job_, source_, options_.threads, options_.memory);
    }
    if (tuned_) {
      summarize_tuning(*tuned_, report_);
      const std::vector<std::string>& unreached = calibrated_.unreached;
      report_.unseen.insert(report_.unseen.end(), unreached.begin(), unreached.end());
    }
  }

  void make_folders(const fs::path& staging) {
    for (const PlannedOutput& output : plan_.outputs) {
      folders_.push_back(output.folder.empty() ? staging : staging / output.folder);
      fs::create_directories(folders_.back());
    }
  }

  void write_weights() {
    StreamRequest stream;
    stream.plan = &plan_;
    stream.source = &source_;
    stream.modifiers = modifiers();
    stream.calibrated = &calibrated_;
    stream.tuned = tuned_ ? &*tuned_ : nullptr;
    stream.folders = folders_;
    stream_weights(stream, listener_);
  }

  void write_files(const fs::path& staging) {
    const nlohmann::json config = output_config(source_, job_.cast);
    for (size_t i = 0; i < plan_.outputs.size(); ++i) {
      write_output_files(plan_.outputs[i], plan_, source_, config, folders_[i]);
    }
    write_small_file(staging / "recipe.yaml", job_.resolved_recipe);
    write_small_file(staging / kLockFile, lock_.dump(2) + "\n");
  }

  const Job& job_;
  const RunOptions& options_;
  RunListener& listener_;
  const Clock::time_point start_ = Clock::now();
  const SourceCheckpoint source_;
  const ImageFiles images_{processor_folder(source_.folder(), source_.tower_folder()),
                           source_.config()};
  Plan plan_;
  Report report_;
  CalibrationData data_;
  nlohmann::json lock_;
  CalibrationResults calibrated_;
  std::optional<TunedBlocks> tuned_;
  std::vector<fs::path> folders_;  // of the outputs
};

}  // namespace

Report run_job(const Job& job, const RunOptions& options, RunListener& listener) {
  return Run(job, options, listener).run();
}

}  // namespace oneshot
