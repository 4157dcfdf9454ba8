// Multiple choice: which continuation a model finds likeliest.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/evaluate/choice_file.h"
#include "engine/evaluate/sequence_pass.h"

namespace oneshot {

/// How many items were answered rightly. A short answer may be right in part.
struct ChoiceCount {
  int64_t items = 0;
  double right = 0;             // by the largest log-likelihood, or the score of the answer
  double right_normalized = 0;  // by the largest log-likelihood divided by the choice's characters,
                                // or the score of the answer

  double accuracy() const { return right / static_cast<double>(items); }
  double accuracy_normalized() const { return right_normalized / static_cast<double>(items); }
};

struct ChoicesResult {
  ChoiceCount all;
  std::map<std::string, ChoiceCount> by_category;    // of items that have one
  std::vector<std::vector<double>> log_likelihoods;  // by item with choices and choice, summed over
                                                     // the tokens of the choice

  /// Counts an item: how right its answer is, 0 to 1.
  void add(const ChoiceItem& item, double right, double right_normalized);
};

/// Scores every choice behind its context, float32; the first of equals wins. Divided by characters
/// as lm-eval's acc_norm. items: with choices. load: of items with images.
/// throws Checkpoint for an item longer than the model's longest text, or with an id outside the
/// vocabulary.
ChoicesResult score_choices(ModelGraph& model,
                            const Weights& weights,
                            std::span<const ChoiceItem> items,
                            const EvaluationResources& resources = {},
                            const LoadImages& load = {});

/// Of n items those numbered i·n/samples; 0: all.
std::vector<ChoiceItem> evenly_spaced(std::span<const ChoiceItem> items, int64_t samples);

/// throws Checkpoint for an item, of either kind, longer than the model's longest text.
void check_lengths(const ModelGraph& model, std::span<const ChoiceItem> items);

/// Tokens of the longest context, with its longest choice where it has any.
int64_t longest_sequence(std::span<const ChoiceItem> items);

}  // namespace oneshot
