#include "engine/evaluate/perplexity.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace oneshot {
namespace {

// Windows that go through the blocks together: a block is read once for all of them.
constexpr int64_t kWindowsAtOnce = 32;

/// The chosen windows: int64 [windows, sequence length].
at::Tensor cut_windows(std::span<const int32_t> ids, const PerplexityOptions& options) {
  const int64_t length = options.sequence_length;
  const int64_t all = static_cast<int64_t>(ids.size()) / length;
  if (all == 0) {
    throw Error(ErrorCode::Checkpoint,
                "the text has " + std::to_string(ids.size()) +
                    " tokens, fewer than one window of " + std::to_string(length) +
                    "; give a longer text or a smaller --sequence-length");
  }
  const int64_t count = options.samples > 0 ? std::min(options.samples, all) : all;
  at::Tensor windows = at::empty({count, length}, at::kLong);
  auto values = windows.accessor<int64_t, 2>();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = i * all / count * length;
    for (int64_t t = 0; t < length; ++t) {
      values[i][t] = ids[static_cast<size_t>(first + t)];
    }
  }
  return windows;
}

/// Sum of −log p of every token but the first, of one window. logits [T, vocabulary].
double loss_of(const at::Tensor& logits, const at::Tensor& ids) {
  const int64_t predicted = ids.size(0) - 1;
  const at::Tensor log_p = at::log_softmax(logits.narrow(0, 0, predicted), -1, at::kFloat);
  const at::Tensor wanted = ids.narrow(0, 1, predicted).unsqueeze(1);
  return -log_p.gather(1, wanted).sum(at::kDouble).item<double>();
}

/// Counts steps, and ends the evaluation when it is told to.
class Steps {
 public:
  Steps(int64_t total, const std::function<bool(int64_t, int64_t)>& progress)
      : total_(total), progress_(progress) {}
  void add(int64_t steps) {
    done_ += steps;
    if (progress_ && !progress_(done_, total_)) {
      throw Error(ErrorCode::Interrupted, "interrupted");
    }
  }

 private:
  int64_t done_ = 0, total_;
  const std::function<bool(int64_t, int64_t)>& progress_;
};

}  // namespace

PerplexityResult perplexity(ModelGraph& model,
                            const Weights& weights,
                            std::span<const int32_t> ids,
                            const PerplexityOptions& options,
                            const std::function<bool(int64_t, int64_t)>& progress) {
  const c10::InferenceMode inference;
  const at::Tensor windows = cut_windows(ids, options);
  PerplexityResult result;
  result.windows = windows.size(0);
  Steps steps(result.windows * (static_cast<int64_t>(model.block_count()) + 1), progress);
  double loss = 0;
  for (int64_t first = 0; first < result.windows; first += kWindowsAtOnce) {
    const int64_t count = std::min(kWindowsAtOnce, result.windows - first);
    const at::Tensor batch = windows.narrow(0, first, count);
    const at::Tensor hidden = model.hidden_states(
        {batch, {}}, weights, [&](size_t, const at::Tensor&) { steps.add(count); });
    for (int64_t i = 0; i < count; ++i) {  // logits are large: a window at a time
      loss += loss_of(model.logits(hidden[i], weights), batch[i]);
      steps.add(1);
    }
  }
  result.tokens = result.windows * (options.sequence_length - 1);
  result.perplexity = std::exp(loss / static_cast<double>(result.tokens));
  return result;
}

}  // namespace oneshot
