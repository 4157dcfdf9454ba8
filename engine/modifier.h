// An algorithm, as the engine sees it: asked for its traits, never which one it is.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/calibration/runner.h"
#include "engine/plan_builder.h"
#include "engine/quant/quantized_weight.h"
#include "engine/tuned_block.h"

namespace oneshot {

/// What becomes of a module that was to be tuned, and that no calibration sample went through.
enum class Unseen { Stop, RoundToNearest, Keep };

/// What the engine's loop has to do for a modifier. May depend on its options.
struct Traits {
  bool quantizes = false;          // makes QuantizedWeights; else it only rewrites weights
  bool needs_calibration = false;  // works block by block on activations
  bool tunes = false;              // makes its codes there, in `tune`
  bool quantized_input = true;     // tuned on what the blocks before, quantized, give
  Unseen unseen = Unseen::Stop;    // rounded to nearest: by `quantize`
  size_t batch_samples = 1;        // whose activations are wanted at a time
  size_t step_samples = 1;         // that a gradient is the sum over
};

/// Rows of a weight, read from the source, cast and rewritten by the modifiers before.
struct Rows {
  const PlannedModule& module;
  int64_t first_row;
  at::Tensor values;  // [rows, in], contiguous, in the planned dtype; read only
};

/// throws Checkpoint, naming the first value of the rows that is NaN or infinite.
[[noreturn]] void refuse_not_finite(const Rows& rows);

/// Extremes over a whole tensor, or over a whole fused set, before any row is quantized.
/// Merging is exact, so the order of the rows does not matter.
struct Statistics {
  at::Tensor min, max;  // 0-d, in the weight's dtype; undefined: not measured

  void merge(const Statistics& other);
};

/// A block of the running model, and what the plan has for it.
struct CalibratedBlock {
  Block& block;
  std::vector<std::pair<Module*, const PlannedModule*>> modules;  // that the modifier quantizes
  std::vector<std::pair<CacheStates, const PlannedCache*>> caches;
  size_t samples;  // that will go through it
};

/// A module of a block that is tuned.
struct TunableModule {
  Module& module;
  const PlannedModule& planned;
  at::Tensor weight;  // [out, in], in the planned dtype
};

/// A block of the running model that is tuned.
struct TunableBlock {
  Block& block;
  size_t index;  // of it in the model
  std::vector<TunableModule> modules;
  const BlockSamples& samples;
  uint64_t seed;  // of the order of the samples
  int threads;
  size_t samples_at_once;  // whose activations are kept at a time
  /// Iterations done and in all, and the loss of the last one; false cancels. On the calling
  /// thread.
  std::function<bool(int64_t done, int64_t total, double loss)> progress;
};

/// What modifiers found out on calibration data, by module or attention.
struct CalibrationResults {
  std::map<std::string, InputScales> inputs;
  std::map<std::string, CacheScales> caches;
  std::vector<std::string> kept;       // modules that stay in floating point: no sample saw them
  std::vector<std::string> unreached;  // to be tuned, but in no block that samples go through
};

/// Thread safe: every const method may be called for different rows at the same time, and gives the
/// same result for a row whatever the other rows of the call.
class Modifier {
 public:
  virtual ~Modifier() = default;

  virtual std::string name() const = 0;
  virtual Traits traits() const = 0;

  /// From the headers alone: says for every tensor it touches what becomes of it.
  virtual void plan(PlanBuilder& builder) const = 0;

  /// Called for each block that has something of this modifier, when `traits` say that it needs
  /// calibration. The work hooks into modules, and puts what it found into `results` at the end.
  virtual std::unique_ptr<BlockWork> observe(const CalibratedBlock& block,
                                             CalibrationResults& results) const;

  /// Called for each block that samples went through with modules of this modifier, when `traits`
  /// say that it tunes. Returns the codes of all of them, and leaves the block as it was.
  /// throws Failed when the loss is not finite, Interrupted.
  virtual TunedBlock tune(const TunableBlock& block) const;

  /// Called for modules whose plan asks for statistics, all rows before the first `quantize`.
  virtual Statistics measure(const Rows& rows) const;

  /// Called for modules whose plan says rewrite: the new values, same shape and dtype.
  virtual at::Tensor rewrite(const Rows& rows) const;

  /// Called for modules whose plan says quantize. `rows` starts at a multiple of the planned row
  /// alignment. Throws Checkpoint when a value is NaN or infinite.
  virtual QuantizedWeight quantize(const Rows& rows, const Statistics& statistics) const;
};

}  // namespace oneshot
