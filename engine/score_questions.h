// Questions with choices and with short answers, put to a checkpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/checkpoint_model.h"
#include "engine/evaluate/choices.h"
#include "engine/prompt_reader.h"

namespace oneshot {

struct QuestionSetup {
  const PromptReader& prompts;     // that read the items; its checkpoint says what ends a text
  int64_t samples = 0;             // of n items those numbered i·n/samples; 0: all
  std::optional<uint64_t> memory;  // bytes
};

/// The items with choices by log-likelihood, side by side; those with answers by what the model
/// writes, one after the other and scored by answer_score(). resources: tokens_at_once is not
/// looked at, it follows from the memory.
/// throws what score_choices() and write_answers() throw; Resource when `memory` is too small;
/// Checkpoint for an end token that is none.
ChoicesResult score_questions(CheckpointModel& model,
                              std::span<const ChoiceItem> items,
                              const QuestionSetup& setup,
                              EvaluationResources resources);

}  // namespace oneshot
