// How surprised a model is by a text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "engine/graph/model_graph.h"

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
/// i·n/samples are scored, each predicting all its tokens but the first. float32.
/// progress: called with steps done and in all (a block or the head for a window); false ends it
/// with Interrupted.
/// throws Checkpoint when the text is shorter than a window, or an id is outside the vocabulary.
PerplexityResult perplexity(ModelGraph& model,
                            const Weights& weights,
                            std::span<const int32_t> ids,
                            const PerplexityOptions& options,
                            const std::function<bool(int64_t done, int64_t total)>& progress = {});

}  // namespace oneshot
