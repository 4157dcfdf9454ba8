#include "engine/evaluate/short_answers.h"

#include <optional>

#include "engine/evaluate/generate.h"

namespace oneshot {

std::vector<std::string> write_answers(ModelGraph& model,
                                       const Weights& weights,
                                       std::span<const ChoiceItem> items,
                                       const AnswerSetup& setup) {
  GenerationOptions options;
  options.max_tokens = kAnswerTokens;
  options.end_tokens = setup.end_tokens;
  const auto total = static_cast<int64_t>(items.size());
  std::vector<std::string> answers;
  const auto on_token = [&](int32_t) {
    return !setup.progress || setup.progress(static_cast<int64_t>(answers.size()), total);
  };
  for (const ChoiceItem& item : items) {
    std::optional<ImageInput> images;
    if (!item.images.empty()) {
      images = setup.load(item.images);
    }
    const Generation written =
        generate(model, weights, item.context, options, on_token, images ? &*images : nullptr);
    const std::string text = setup.tokenizer.decode(written.ids, true);
    answers.push_back(text.substr(0, text.find('\n')));
  }
  return answers;
}

}  // namespace oneshot
