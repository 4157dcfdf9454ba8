// Continuing a text, token by token.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/evaluate/sampler.h"
#include "engine/graph/model_graph.h"

namespace oneshot {

struct GenerationOptions {
  int64_t max_tokens = 64;  // new ones, 1 or more
  SamplingOptions sampling;
  std::vector<int32_t> end_tokens;  // any of them ends the text
};

enum class StopReason { EndToken, MaxTokens, LongestText };

struct Generation {
  std::vector<int32_t> ids;  // new ones, without the end token
  StopReason stopped_by = StopReason::MaxTokens;
};

/// Continues a prompt. images: of the prompt; null: it has none. on_token sees every new token as
/// it comes; false ends with Interrupted. throws Checkpoint for a prompt without tokens, one longer
/// than the model's longest text, or with an id outside its vocabulary; Failed when the model
/// computes what is no number.
Generation generate(ModelGraph& model,
                    const Weights& weights,
                    std::span<const int32_t> prompt,
                    const GenerationOptions& options,
                    const std::function<bool(int32_t id)>& on_token = {},
                    const ImageInput* images = nullptr);

}  // namespace oneshot
