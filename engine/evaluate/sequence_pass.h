// Many token sequences through a model, block by block.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/evaluate/sequence_images.h"
#include "engine/graph/model_graph.h"

namespace oneshot {

/// What an evaluation may use. Its figures do not depend on it.
struct EvaluationResources {
  int threads = 1;
  int64_t tokens_at_once = 1 << 14;  // whose hidden states may be in memory; a sequence at least
  /// Called with steps done and in all (a block or the head for a sequence); false ends the
  /// evaluation with Interrupted.
  std::function<bool(int64_t done, int64_t total)> progress;
};

/// Steps that are done, counted by many threads.
class EvaluationSteps {
 public:
  EvaluationSteps(int64_t total, const EvaluationResources& resources)
      : total_(total), resources_(resources) {}
  void add() { ++done_; }
  /// Tells the progress; false: to be ended.
  bool tell() const { return !resources_.progress || resources_.progress(done_, total_); }
  int threads() const { return resources_.threads; }

 private:
  int64_t total_;
  std::atomic<int64_t> done_{0};
  const EvaluationResources& resources_;
};

/// Sequences that go through a model together, so that each block is read once for all of them. One
/// thread computes a sequence, at its own shape: no sequence depends on the others or on the number
/// of threads.
class SequencePass {
 public:
  /// ids: int64 [T], one or more. images: of each, null: none; empty: none has any. weights: may be
  /// loaded by many threads at once. All arguments outlive the pass but for `ids`.
  /// throws Checkpoint for an id outside the vocabulary.
  SequencePass(ModelGraph& model,
               const Weights& weights,
               std::span<const at::Tensor> ids,
               EvaluationSteps& steps,
               std::span<const SeenImages* const> images = {});

  /// Blocks from 0 on, in order.
  void run_block(size_t block);
  void run_blocks();

  /// Calls `score` for every sequence, on many threads, while the head is loaded.
  void run_head(const std::function<void(size_t sequence)>& score);
  void load_head() { model_.load_head(weights_); }
  void unload_head() { model_.unload_head(); }

  /// Output [T, hidden size] of the block that ran last.
  at::Tensor hidden(size_t sequence) const { return hidden_[sequence][0]; }
  /// Logits [count, vocabulary] of some positions, with the head loaded.
  at::Tensor logits(size_t sequence, int64_t first, int64_t count) const {
    return model_.head_logits(hidden(sequence).narrow(0, first, count));
  }
  /// Σ log p of the tokens from number `first` on, 1 or more, with the head loaded. ids [T].
  double log_likelihood(size_t sequence, const at::Tensor& ids, int64_t first) const;

 private:
  ModelGraph& model_;
  const Weights& weights_;
  EvaluationSteps& steps_;
  std::vector<at::Tensor> hidden_;  // [1, T, hidden size] each
  std::vector<BlockContext> contexts_;
};

/// Σ log p of the wanted tokens [n] at n positions. log_p [n or more, vocabulary].
/// throws Failed when that is not finite.
double sum_of(const at::Tensor& log_p, const at::Tensor& wanted);

/// Positions whose logits are computed at a time.
inline constexpr int64_t kPositionsAtOnce = 64;

/// Calls `score(first, count)` for pieces of so many positions of [begin, end), in order.
void for_positions(int64_t begin,
                   int64_t end,
                   const std::function<void(int64_t first, int64_t count)>& score);

/// Runs `work` on items, on as many threads as there are; ends with Interrupted when told to.
void run_items(size_t count, const EvaluationSteps& steps, const std::function<void(size_t)>& work);

/// Scores all sequences, so many tokens at once: `score` is called for each, by its number in the
/// pass and its number in `ids`, on many threads, while the head is loaded.
using ScoreSequence = std::function<void(const SequencePass& pass, size_t in_pass, size_t number)>;
void score_sequences(ModelGraph& model,
                     const Weights& weights,
                     std::span<const at::Tensor> ids,
                     const EvaluationResources& resources,
                     const ScoreSequence& score,
                     const SequenceImages& images = {});

/// Where batches of sequences begin, in order, so that none has more than so many tokens or only
/// one sequence; and the end. image_tokens: what the images of a sequence count, where they are not
/// those of the one before.
std::vector<size_t> batches_of(std::span<const at::Tensor> ids,
                               int64_t tokens_at_once,
                               const SequenceImages& images = {},
                               int64_t image_tokens = 0);

}  // namespace oneshot
