#include "engine/score_questions.h"

#include <malloc.h>

#include <algorithm>

#include "engine/aten_threads.h"
#include "engine/evaluate/answer_score.h"
#include "engine/evaluate/kept_weights.h"
#include "engine/evaluate/short_answers.h"
#include "engine/evaluation_memory.h"
#include "engine/text/end_tokens.h"

namespace oneshot {
namespace {

std::vector<std::string> written_answers(CheckpointModel& model,
                                         std::span<const ChoiceItem> items,
                                         const QuestionSetup& setup,
                                         const EvaluationResources& resources) {
  const PromptReader& prompts = setup.prompts;
  const int64_t tokens = longest_sequence(items) + kAnswerTokens;
  const Weights weights =
      kept_weights(model.weights(), kept_weight_bytes(model, tokens, setup.memory));
  const AtenThreads threads(generation_threads(model, resources.threads));
  return write_answers(
      model.graph(),
      weights,
      items,
      {prompts.tokenizer(),
       end_tokens({prompts.folders().checkpoint, &model.config(), prompts.folders().tokenizer},
                  prompts.tokenizer()),
       [&](auto images) { return prompts.load(images); },
       resources.progress});
}

}  // namespace

ChoicesResult score_questions(CheckpointModel& model,
                              std::span<const ChoiceItem> items,
                              const QuestionSetup& setup,
                              EvaluationResources resources) {
  std::vector<ChoiceItem> with_choices = evenly_spaced(items, setup.samples);
  check_lengths(model.graph(), with_choices);  // of all, before hours go into some
  const auto first = std::stable_partition(with_choices.begin(),
                                           with_choices.end(),
                                           [](const auto& item) { return item.has_choices(); });
  const std::vector<ChoiceItem> with_answers(first, with_choices.end());
  with_choices.erase(first, with_choices.end());
  ChoicesResult result;
  if (!with_choices.empty()) {
    resources.tokens_at_once =
        tokens_at_once({{&model}, longest_sequence(with_choices), resources.threads, setup.memory});
    result =
        score_choices(model.graph(), model.weights(), with_choices, resources, [&](auto images) {
          return setup.prompts.load(images);
        });
  }
  if (with_answers.empty()) {
    return result;
  }
  malloc_trim(0);  // what was scored before has left much that is free
  const std::vector<std::string> written = written_answers(model, with_answers, setup, resources);
  for (size_t i = 0; i < with_answers.size(); ++i) {
    const double score = answer_score(written[i], with_answers[i].answers);
    result.add(with_answers[i], score, score);
  }
  return result;
}

}  // namespace oneshot
