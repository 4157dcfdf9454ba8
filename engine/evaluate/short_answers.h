// Questions that a model answers in its own words.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/evaluate/choice_file.h"
#include "engine/evaluate/sequence_pass.h"

namespace oneshot {

/// Most tokens of an answer.
inline constexpr int64_t kAnswerTokens = 16;

struct AnswerSetup {
  const Tokenizer& tokenizer;
  std::vector<int32_t> end_tokens;  // any of them ends an answer
  LoadImages load = {};             // of items with images
  /// Called with items done and in all, after every token; false ends with Interrupted.
  std::function<bool(int64_t done, int64_t total)> progress = {};
};

/// What the model writes behind the context of each item, greedily, up to kAnswerTokens; without
/// special tokens and what stands behind the first line break. One item after the other, with the
/// threads that ATen uses. throws what generate() throws.
std::vector<std::string> write_answers(ModelGraph& model,
                                       const Weights& weights,
                                       std::span<const ChoiceItem> items,
                                       const AnswerSetup& setup);

}  // namespace oneshot
