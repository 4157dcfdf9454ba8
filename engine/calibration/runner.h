// Calibration samples through a model, block by block: one block is loaded at a time, all samples
// go through it, what they are after it is what goes into the next.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/calibration/block_samples.h"
#include "engine/graph/model_graph.h"

namespace oneshot {

/// What somebody does with one block while the samples go through it.
class BlockWork {
 public:
  virtual ~BlockWork() = default;
  /// All samples went through the block, which is still loaded.
  virtual void finish() = 0;
};

/// The images of calibration samples.
struct SampleImages {
  std::vector<size_t> samples;  // that have some, in order
  /// What the family's processor makes of them; for many threads at once. throws Checkpoint.
  std::function<ImageInput(size_t sample)> load;
};

struct CalibrationPass {
  ModelGraph& model;
  const Weights& weights;                      // in the dtype that is computed in
  std::span<const std::vector<int32_t>> rows;  // token ids, one row a sample
  SampleImages images;                         // none: texts alone
  at::ScalarType state_dtype = at::kBFloat16;  // in which hidden states are kept between blocks
  uint64_t state_memory = 0;                   // bytes; beyond it states go into a file
  uint64_t image_memory = 0;                   // the same for what images look like
  std::filesystem::path folder;                // of that file
  int threads = 1;

  std::function<bool(Block&)> wants;  // whether somebody will watch or tune the block
  /// Who watches it. Called before the samples, for blocks that are wanted.
  std::function<std::vector<std::unique_ptr<BlockWork>>(Block&)> watch;
  /// Samples done and in all, over all blocks; false cancels. On the calling thread.
  std::function<bool(uint64_t done, uint64_t total)> progress;

  /// Where it is set, a second stream of states is kept: after all samples went through a block of
  /// the model as it is, this is called, and leaves the block as it will be; what the second
  /// stream is after that is what goes into the next one.
  std::function<void(Block&, size_t index, const BlockSamples&)> tune;
  /// False: blocks are tuned on what the model as it is puts into them; no second stream.
  bool quantized_input = true;
};

/// Runs all blocks up to the last one that is wanted, norm and head as the last of them. Each
/// sample is an item of its own that one thread computes, so results do not depend on the threads.
/// throws what loading, hooks and works throw; Checkpoint for ids outside the vocabulary and
/// for states that are not finite; Resource; Interrupted.
void run_calibration(const CalibrationPass& pass);

}  // namespace oneshot
