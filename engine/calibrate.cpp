#include "engine/calibrate.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <malloc.h>

#include <algorithm>
#include <unordered_map>

#include "engine/checkpoint_model.h"
#include "engine/error.h"
#include "engine/models/registry.h"
#include "engine/tensor_bytes.h"
#include "engine/tuning.h"

namespace oneshot {
namespace {

/// ATen on the calling thread alone while it lives: the work is shared out among threads of our
/// own, and a pool of ATen's would spin beside them.
class OneAtenThread {
 public:
  OneAtenThread() { at::set_num_threads(1); }
  ~OneAtenThread() { at::set_num_threads(before_); }
  OneAtenThread(const OneAtenThread&) = delete;
  OneAtenThread& operator=(const OneAtenThread&) = delete;

 private:
  int before_ = at::get_num_threads();
};

void give_free_memory_back() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

class Calibration {
 public:
  Calibration(const CalibrateRequest& request, RunListener& listener)
      : request_(request),
        listener_(listener),
        model_(request.source->folder(),
               {},
               true,
               calibration_dtype(*request.plan),
               request.source->is_tower_inside() ? "" : request.source->tower_folder()),
        tuning_({.plan = request.plan,
                 .modifiers = request.modifiers,
                 .source = request.source,
                 .store = request.tuned,
                 .seed = request.seed,
                 .dtype = calibration_dtype(*request.plan)},
                listener) {
    for (const PlannedModule& module : request.plan->modules) {
      if (module.scheme && module.scheme->needs_calibration()) {
        watched_[module.name] = &module;
      }
    }
  }

  CalibrationResults run() {
    CalibrationPass pass{.model = model_.graph(),
                         .weights = model_.weights(),
                         .rows = request_.rows,
                         .images = {request_.with_images, request_.load_images},
                         .state_dtype = state_dtype(),
                         .state_memory = request_.plan->state_memory_bytes,
                         .folder = request_.folder,
                         .threads = request_.plan->threads};
    pass.image_memory = request_.plan->image_memory_bytes;
    pass.wants = [this](Block& block) { return !parts_of(block).empty() || tuning_.wants(block); };
    pass.watch = [this](Block& block) { return watch(block); };
    pass.progress = [this](uint64_t done, uint64_t total) {
      if (!tuning_.needed()) {  // whose own progress is the longer part
        listener_.on_progress({"calibrating", done, total, "steps"});
      }
      return !listener_.cancelled();
    };
    if (tuning_.needed()) {
      tuning_.prepare(model_.graph(), !request_.with_images.empty());
      pass.quantized_input = tuning_.quantized_input();
      pass.tune = [this](Block& block, size_t index, const BlockSamples& samples) {
        tuning_.tune(block, index, samples);
        give_free_memory_back();  // what one block was tuned with seldom fits the next one's pieces
      };
    }
    run_calibration(pass);
    check_all_were_reached();
    results_.kept = tuning_.kept();
    results_.unreached = tuning_.unreached();
    return std::move(results_);
  }

 private:
  /// States of a model that is kept in float32 lose nothing; all others are kept in bfloat16.
  at::ScalarType state_dtype() const {
    const auto& modules = request_.plan->modules;
    const bool exact = std::any_of(modules.begin(), modules.end(), [](const PlannedModule& one) {
      return one.scheme && one.dtype == Dtype::F32;
    });
    return exact ? at::kFloat : at::kBFloat16;
  }

  void check_all_were_reached() const {
    for (const auto& [name, module] : watched_) {
      if (!results_.inputs.contains(name)) {
        throw Error(ErrorCode::Unsupported,
                    name +
                        ": needs calibration, but the model's forward pass does not reach it; "
                        "add it to ignore");
      }
    }
  }

  /// What each modifier has to see of a block, by the modifier's index.
  std::map<size_t, CalibratedBlock> parts_of(Block& block) const {
    std::map<size_t, CalibratedBlock> parts;
    const auto part = [&](size_t modifier) -> CalibratedBlock& {
      return parts.try_emplace(modifier, CalibratedBlock{block, {}, {}, request_.rows.size()})
          .first->second;
    };
    for (Module* module : block.modules()) {
      const auto found = watched_.find(module->name());
      if (found != watched_.end()) {
        part(found->second->quantizer).modules.emplace_back(module, found->second);
      }
    }
    const CacheStates states = block.cache_states();
    for (const PlannedCache& cache : request_.plan->caches) {
      if (states.key != nullptr && cache.attention == states.attention) {
        part(cache.quantizer).caches.emplace_back(states, &cache);
      }
    }
    return parts;
  }

  std::vector<std::unique_ptr<BlockWork>> watch(Block& block) {
    std::vector<std::unique_ptr<BlockWork>> works;
    for (const auto& [modifier, part] : parts_of(block)) {
      works.push_back(request_.modifiers[modifier]->observe(part, results_));
    }
    if (tuning_.wants(block) && &block != &model_.graph().tail()) {
      works.push_back(tuning_.watch(block));
    }
    return works;
  }

  const CalibrateRequest& request_;
  RunListener& listener_;
  CheckpointModel model_;
  Tuning tuning_;
  std::unordered_map<std::string, const PlannedModule*> watched_;  // by name
  CalibrationResults results_;
};

}  // namespace

CalibrationData load_job_data(const Job& job,
                              const SourceCheckpoint& source,
                              const ImageReader& images) {
  if (!job.calibration) {
    return {};
  }
  const std::filesystem::path folder = job.tokenizer.empty() ? source.folder() : job.tokenizer;
  std::optional<Tokenizer> tokenizer;
  if (!job.tokenizer.empty() || std::filesystem::exists(folder / "tokenizer.json")) {
    tokenizer = Tokenizer::from_folder(folder);
  }
  const std::unique_ptr<ModelGraph> graph = make_model(ModelSource::of(source));
  CalibratedModel model;
  model.images = image_family(source.config()) ? &images : nullptr;
  model.config = &source.config();
  model.tokenizer = tokenizer ? &*tokenizer : nullptr;
  model.tokenizer_folder = folder;
  model.vocabulary_size = graph->embedding_rows();
  if (graph->sizes().longest_text > 0) {
    model.longest_sequence = graph->sizes().longest_text;
  }
  return load_calibration(*job.calibration, model);
}

at::ScalarType calibration_dtype(const Plan& plan) {
  return scalar_type(plan.computed_in);
}

std::string calibration_dtype_name(const Plan& plan) {
  return calibration_dtype(plan) == at::kBFloat16 ? "bfloat16" : "float32";
}

CalibrationResults calibrate(const CalibrateRequest& request, RunListener& listener) {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1);  // what one thread frees is there for the others: else every thread
                            // keeps the most that it ever had
#endif
  const OneAtenThread one;
  return Calibration(request, listener).run();
}

}  // namespace oneshot
