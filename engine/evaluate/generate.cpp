#include "engine/evaluate/generate.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <optional>

#include "engine/error.h"

namespace oneshot {
namespace {

void check_prompt(const ModelGraph& model, std::span<const int32_t> prompt) {
  if (prompt.empty()) {
    throw Error(ErrorCode::Checkpoint, "the prompt has no tokens; write at least one word");
  }
  const auto tokens = static_cast<int64_t>(prompt.size());
  if (model.sizes().longest_text > 0 && tokens > model.sizes().longest_text) {
    throw Error(ErrorCode::Checkpoint,
                "the prompt has " + std::to_string(tokens) + " tokens, more than the " +
                    std::to_string(model.sizes().longest_text) +
                    " that the model can read; shorten it");
  }
}

/// A text that grows, and what the model keeps of it.
class GrowingText {
 public:
  GrowingText(ModelGraph& model,
              const Weights& weights,
              std::span<const int32_t> prompt,
              const ImageInput* images)
      : model_(model), weights_(weights), ids_(prompt.begin(), prompt.end()) {
    if (images != nullptr) {
      images_ = std::move(see_images(*model.tower(), weights, {*images}, 1).front());
    }
  }

  void add(int32_t id) { ids_.push_back(id); }
  int64_t tokens() const { return static_cast<int64_t>(ids_.size()); }

  /// Logits [vocabulary] of the token that follows.
  at::Tensor next_logits() {
    if (model_.must_start_over(cache_, tokens())) {
      cache_ = {};
    }
    const at::Tensor ids = at::tensor(ids_, at::kInt).to(at::kLong).unsqueeze(0);
    const at::Tensor unread = ids.narrow(1, cache_.tokens, tokens() - cache_.tokens);
    const at::Tensor normed =
        model_.next_hidden_states(unread, weights_, cache_, images_ ? &*images_ : nullptr);
    return model_.logits(normed[0][normed.size(1) - 1].unsqueeze(0), weights_)[0].contiguous();
  }

 private:
  ModelGraph& model_;
  const Weights& weights_;
  std::vector<int32_t> ids_;
  std::optional<SeenImages> images_;
  TextCache cache_;
};

}  // namespace

Generation generate(ModelGraph& model,
                    const Weights& weights,
                    std::span<const int32_t> prompt,
                    const GenerationOptions& options,
                    const std::function<bool(int32_t id)>& on_token,
                    const ImageInput* images) {
  const c10::InferenceMode inference;
  check_prompt(model, prompt);
  GrowingText text(model, weights, prompt, images);
  Sampler sampler(options.sampling);
  const std::vector<int32_t>& ends = options.end_tokens;
  Generation result;
  while (static_cast<int64_t>(result.ids.size()) < options.max_tokens) {
    if (model.sizes().longest_text > 0 && text.tokens() > model.sizes().longest_text) {
      result.stopped_by = StopReason::LongestText;
      break;
    }
    const at::Tensor logits = text.next_logits();
    const int32_t id =
        sampler.next({logits.const_data_ptr<float>(), static_cast<size_t>(logits.numel())});
    if (std::find(ends.begin(), ends.end(), id) != ends.end()) {
      result.stopped_by = StopReason::EndToken;
      break;
    }
    result.ids.push_back(id);
    text.add(id);
    if (on_token && !on_token(id)) {
      throw Error(ErrorCode::Interrupted, "interrupted");
    }
  }
  return result;
}

}  // namespace oneshot
