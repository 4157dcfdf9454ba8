#include "engine/evaluate/divergence.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "engine/error.h"

namespace oneshot {
namespace {

/// What two models differ in, on one window or on several.
struct Difference {
  double kl = 0;
  int64_t agreeing = 0;                         // positions
  std::vector<double> block_error, block_norm;  // Σ (y − y_ref)², Σ y_ref²
  double log_likelihood = 0, reference_log_likelihood = 0;
};

void check_same(int64_t found, int64_t reference, const std::string& what) {
  if (found != reference) {
    throw Error(ErrorCode::Checkpoint,
                "--against: that model has " + std::to_string(reference) + " " + what +
                    " and this one " + std::to_string(found) +
                    "; compare a checkpoint with the one that it was made from");
  }
}

void check_comparable(const ModelGraph& model, const ModelGraph& reference) {
  const ModelSizes& sizes = model.sizes();
  check_same(sizes.vocabulary, reference.sizes().vocabulary, "tokens in its vocabulary");
  check_same(sizes.hidden, reference.sizes().hidden, "values in a hidden state");
  check_same(static_cast<int64_t>(model.block_count()),
             static_cast<int64_t>(reference.block_count()),
             "blocks");
}

/// A batch of windows through both models.
class PairPass {
 public:
  PairPass(const RunnableModel& model,
           const RunnableModel& reference,
           std::span<const at::Tensor> windows,
           EvaluationSteps& steps)
      : windows_(windows),
        steps_(steps),
        blocks_(model.graph.block_count()),
        pass_(model.graph, model.weights, windows, steps),
        reference_(reference.graph, reference.weights, windows, steps),
        differences_(windows.size()) {}

  std::vector<Difference> run() {
    for (size_t block = 0; block < blocks_; ++block) {
      pass_.run_block(block);
      reference_.run_block(block);
      compare_blocks();
    }
    pass_.load_head();
    reference_.load_head();
    run_items(windows_.size(), steps_, [&](size_t i) {
      compare_logits(i);
      steps_.add();
      steps_.add();
    });
    pass_.unload_head();
    reference_.unload_head();
    return std::move(differences_);
  }

 private:
  void compare_blocks() {
    run_items(windows_.size(), steps_, [&](size_t i) {
      const at::Tensor wanted = reference_.hidden(i);
      const at::Tensor error = pass_.hidden(i) - wanted;
      differences_[i].block_error.push_back(error.square().sum(at::kDouble).item<double>());
      differences_[i].block_norm.push_back(wanted.square().sum(at::kDouble).item<double>());
    });
  }

  void compare_logits(size_t i) {
    Difference& difference = differences_[i];
    const at::Tensor& ids = windows_[i];
    for_positions(0, ids.size(0), [&](int64_t first, int64_t count) {
      const at::Tensor found = at::log_softmax(pass_.logits(i, first, count), -1, at::kFloat);
      const at::Tensor wanted = at::log_softmax(reference_.logits(i, first, count), -1, at::kFloat);
      difference.kl += (wanted.exp() * (wanted - found)).sum(at::kDouble).item<double>();
      difference.agreeing += found.argmax(-1).eq(wanted.argmax(-1)).sum().item<int64_t>();
      const at::Tensor next = ids.narrow(0, first + 1, std::min(count, ids.size(0) - 1 - first));
      difference.log_likelihood += sum_of(found, next);
      difference.reference_log_likelihood += sum_of(wanted, next);
    });
  }

  std::span<const at::Tensor> windows_;
  EvaluationSteps& steps_;
  size_t blocks_;
  SequencePass pass_, reference_;
  std::vector<Difference> differences_;
};

DivergenceResult summed(const std::vector<Difference>& windows, const PerplexityOptions& options) {
  Difference sum;
  const size_t blocks = windows.front().block_error.size();
  sum.block_error.resize(blocks);
  sum.block_norm.resize(blocks);
  std::vector<double> losses;
  std::vector<double> reference_losses;
  for (const Difference& window : windows) {  // in their order: the same sum for any threads
    sum.kl += window.kl;
    sum.agreeing += window.agreeing;
    for (size_t i = 0; i < blocks; ++i) {
      sum.block_error[i] += window.block_error[i];
      sum.block_norm[i] += window.block_norm[i];
    }
    losses.push_back(-window.log_likelihood);
    reference_losses.push_back(-window.reference_log_likelihood);
  }
  DivergenceResult result;
  const double positions =
      static_cast<double>(windows.size()) * static_cast<double>(options.sequence_length);
  result.kl = sum.kl / positions;
  result.top1_agreement = static_cast<double>(sum.agreeing) / positions;
  for (size_t i = 0; i < blocks; ++i) {
    result.block_error.push_back(sum.block_error[i] / sum.block_norm[i]);
  }
  result.perplexity = perplexity_of(losses, options);
  result.reference_perplexity = perplexity_of(reference_losses, options);
  return result;
}

}  // namespace

DivergenceResult divergence(const RunnableModel& model,
                            const RunnableModel& reference,
                            std::span<const int32_t> ids,
                            const PerplexityOptions& options,
                            const EvaluationResources& resources) {
  const c10::InferenceMode inference;
  check_comparable(model.graph, reference.graph);
  const std::vector<at::Tensor> windows = cut_windows(ids, options);
  const size_t steps_of_window = 2 * (model.graph.block_count() + 1);
  EvaluationSteps steps(static_cast<int64_t>(windows.size() * steps_of_window), resources);
  std::vector<Difference> differences;
  const std::vector<size_t> begins = batches_of(windows, resources.tokens_at_once);
  for (size_t batch = 0; batch + 1 < begins.size(); ++batch) {
    const size_t first = begins[batch];
    PairPass pass(
        model, reference, std::span(windows).subspan(first, begins[batch + 1] - first), steps);
    for (Difference& difference : pass.run()) {
      differences.push_back(std::move(difference));
    }
  }
  return summed(differences, options);
}

}  // namespace oneshot
