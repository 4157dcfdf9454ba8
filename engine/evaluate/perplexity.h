// How surprised a model is by a text.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/evaluate/sequence_pass.h"

namespace oneshot {

struct PerplexityOptions {
  int64_t sequence_length = 512;  // tokens of a window, 2 or more
  int64_t samples = 0;            // windows that are scored, evenly spaced; 0: all
};

struct PerplexityResult {
  double perplexity = 0;
  int64_t tokens = 0;   // that were predicted
  int64_t windows = 0;  // that were scored
};

/// The text is cut into windows that do not overlap, the rest dropped; of n windows those numbered
/// i·n/samples are taken. int64 [sequence length] each.
/// throws Checkpoint when the text is shorter than a window.
std::vector<at::Tensor> cut_windows(std::span<const int32_t> ids, const PerplexityOptions& options);

/// exp of the mean loss of the tokens of those windows, each with the −Σ log p of all but its
/// first.
PerplexityResult perplexity_of(std::span<const double> losses, const PerplexityOptions& options);

/// Each window predicts all its tokens but the first. float32.
/// throws Checkpoint for a short text, or an id outside the vocabulary.
PerplexityResult perplexity(ModelGraph& model,
                            const Weights& weights,
                            std::span<const int32_t> ids,
                            const PerplexityOptions& options,
                            const EvaluationResources& resources = {});

}  // namespace oneshot
