#include "engine/evaluate/perplexity.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/error.h"

namespace oneshot {

std::vector<at::Tensor> cut_windows(std::span<const int32_t> ids,
                                    const PerplexityOptions& options) {
  const int64_t length = options.sequence_length;
  const int64_t all = static_cast<int64_t>(ids.size()) / length;
  if (all == 0) {
    throw Error(ErrorCode::Checkpoint,
                "the text has " + std::to_string(ids.size()) +
                    " tokens, fewer than one window of " + std::to_string(length) +
                    "; give a longer text or a smaller --sequence-length");
  }
  const int64_t count = options.samples > 0 ? std::min(options.samples, all) : all;
  std::vector<at::Tensor> windows;
  for (int64_t i = 0; i < count; ++i) {
    const auto first = static_cast<size_t>(i * all / count * length);
    const std::span<const int32_t> window = ids.subspan(first, static_cast<size_t>(length));
    windows.push_back(at::tensor(c10::ArrayRef(window.data(), window.size())).to(at::kLong));
  }
  return windows;
}

PerplexityResult perplexity_of(std::span<const double> losses, const PerplexityOptions& options) {
  PerplexityResult result;
  result.windows = static_cast<int64_t>(losses.size());
  result.tokens = result.windows * (options.sequence_length - 1);
  const double loss = std::accumulate(losses.begin(), losses.end(), 0.0);
  result.perplexity = std::exp(loss / static_cast<double>(result.tokens));
  return result;
}

PerplexityResult perplexity(ModelGraph& model,
                            const Weights& weights,
                            std::span<const int32_t> ids,
                            const PerplexityOptions& options,
                            const EvaluationResources& resources) {
  const c10::InferenceMode inference;
  const std::vector<at::Tensor> windows = cut_windows(ids, options);
  std::vector<double> losses(windows.size());
  score_sequences(
      model, weights, windows, resources, [&](const SequencePass& pass, size_t i, size_t window) {
        losses[window] = -pass.log_likelihood(i, windows[window], 1);
      });
  return perplexity_of(losses, options);
}

}  // namespace oneshot
