// One block after the other, each loaded while all samples go through it, watched and tuned.
#pragma once

#include <ATen/core/ScalarType.h>

#include <cstdint>
#include <functional>

#include "engine/calibration/runner.h"
#include "engine/calibration/sample_states.h"

namespace oneshot {

/// The model as it is, or as what was tuned of it leaves it.
enum class Stream { Original, Tuned };

/// Where the samples' states come from and go to; the same object where they stay in place.
struct StateStreams {
  SampleStates* from = nullptr;
  SampleStates* to = nullptr;          // null: nobody reads them
  SampleStates* tuned_from = nullptr;  // null: nothing is tuned
  SampleStates* tuned_to = nullptr;
};

/// A row of samples that goes through blocks.
struct SampleWalk {
  StateStreams streams;
  std::function<BlockContext(size_t sample, Stream stream)> context;
  bool predicts = true;  // the last row of a sample predicts nothing
};

class BlockRunner {
 public:
  /// dtype: that is computed in. total: forward passes of single samples, for the progress.
  BlockRunner(const CalibrationPass& pass, at::ScalarType dtype, uint64_t total)
      : pass_(pass), dtype_(dtype), total_(total) {}

  /// index: of the block among those that may be tuned. goes_on: what comes out of it is needed.
  /// throws what run_calibration throws.
  void run(Block& block, size_t index, const SampleWalk& walk, bool goes_on);

  /// Counts passes that somebody else made. throws Interrupted.
  void count(uint64_t passes);

 private:
  void forward_all(Block& block,
                   const SampleWalk& walk,
                   Stream stream,
                   const SampleStates& from,
                   SampleStates* to);
  void tune(Block& block, size_t index, const SampleWalk& walk, bool goes_on);

  const CalibrationPass& pass_;
  at::ScalarType dtype_;
  uint64_t total_, done_ = 0;
};

}  // namespace oneshot
