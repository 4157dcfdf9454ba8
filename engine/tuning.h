// The tuned part of a run: for each block, what its modifiers make of it is kept on the disk, and
// the block is left with the weights that its codes stand for.
#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/modifier.h"
#include "engine/plan.h"
#include "engine/run_listener.h"
#include "engine/tuned_blocks.h"

namespace oneshot {

struct TuningSetup {
  const Plan* plan = nullptr;
  std::span<const Modifier* const> modifiers;
  const SourceCheckpoint* source = nullptr;
  TunedBlocks* store = nullptr;
  uint64_t seed = 0;
  at::ScalarType dtype = at::kFloat;  // that is computed in
};

class Tuning {
 public:
  Tuning(const TuningSetup& setup, RunListener& listener);

  /// True when modules of the plan are tuned.
  bool needed() const { return !tuned_.empty(); }
  /// Counts what there is to do. throws Unsupported for modules that the model does not compute,
  /// where their modifier does not say what becomes of such.
  void prepare(ModelGraph& model, bool has_images);
  bool wants(Block& block) const;
  bool quantized_input() const;

  /// Notes which of the block's modules samples go through.
  std::unique_ptr<BlockWork> watch(Block& block);

  /// Tunes the block, or takes what an earlier run made of it; then the block computes as its
  /// quantized weights do.
  void tune(Block& block, size_t index, const BlockSamples& samples);

  /// Modules that no sample went through, and that stay in floating point for that.
  const std::vector<std::string>& kept() const { return kept_; }
  /// Modules to be tuned that are in no block of the forward pass. Complete after prepare().
  const std::vector<std::string>& unreached() const { return unreached_; }

 private:
  using Part = std::vector<std::pair<Module*, const PlannedModule*>>;  // of a modifier

  std::map<size_t, Part> parts_of(Block& block) const;
  TunedBlock tune_part(Block& block,
                       size_t modifier,
                       const Part& part,
                       const BlockSamples& samples);
  TunableModule tunable_module(Module& module, const PlannedModule& planned) const;
  void apply(const Part& part) const;
  bool on_iteration(const Block& block, int64_t done, int64_t total, double loss);
  void tell(const TunedBlock& block, bool resumed);
  std::string key(const Block& block, size_t modifier) const;
  Unseen unseen_of(const PlannedModule& module) const;
  void note_unseen(const std::vector<std::string>& modules);

  TuningSetup setup_;
  RunListener& listener_;
  std::unordered_map<std::string, const PlannedModule*> tuned_;  // by name
  std::map<std::string, bool> seen_;                             // modules of the watched block
  size_t index_ = 0, done_ = 0, count_ = 0;                      // blocks
  double seconds_ = 0;                                           // of blocks tuned here
  size_t tuned_here_ = 0;
  std::vector<std::string> kept_, unreached_;
};

}  // namespace oneshot
