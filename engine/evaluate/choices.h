// Multiple choice: which continuation a model finds likeliest.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/evaluate/choice_file.h"
#include "engine/evaluate/sequence_pass.h"

namespace oneshot {

/// How many items were answered rightly.
struct ChoiceCount {
  int64_t items = 0;
  int64_t right = 0;             // by the largest log-likelihood
  int64_t right_normalized = 0;  // by the largest log-likelihood divided by the choice's characters

  double accuracy() const { return share(right); }
  double accuracy_normalized() const { return share(right_normalized); }

 private:
  double share(int64_t part) const {
    return static_cast<double>(part) / static_cast<double>(items);
  }
};

struct ChoicesResult {
  ChoiceCount all;
  std::map<std::string, ChoiceCount> by_category;    // of items that have one
  std::vector<std::vector<double>> log_likelihoods;  // by item and choice, summed over its tokens
};

/// Scores every choice behind its context, float32; the first of equals wins. Divided by characters
/// as lm-eval's acc_norm. samples: of n items those numbered i·n/samples are scored; 0: all.
/// load: of items with images.
/// throws Checkpoint for an item longer than the model's longest text, or with an id outside the
/// vocabulary.
ChoicesResult score_choices(ModelGraph& model,
                            const Weights& weights,
                            std::span<const ChoiceItem> items,
                            int64_t samples,
                            const EvaluationResources& resources = {},
                            const LoadImages& load = {});

/// Tokens of the longest context with a choice.
int64_t longest_sequence(std::span<const ChoiceItem> items);

}  // namespace oneshot
