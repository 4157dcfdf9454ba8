#include "engine/evaluate/choices.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "engine/error.h"

namespace oneshot {
namespace {

/// A context with one of its choices.
struct Candidate {
  size_t item = 0, choice = 0;
  int64_t context_tokens = 0;
};

std::vector<ChoiceItem> evenly_spaced(std::span<const ChoiceItem> items, int64_t samples) {
  const auto all = static_cast<int64_t>(items.size());
  const int64_t count = samples > 0 ? std::min(samples, all) : all;
  std::vector<ChoiceItem> taken;
  for (int64_t i = 0; i < count; ++i) {
    taken.push_back(items[static_cast<size_t>(i * all / count)]);
  }
  return taken;
}

/// Numbers for lists of image files: the same for the same list.
class ImageNumbers {
 public:
  using Files = std::vector<std::filesystem::path>;

  std::optional<size_t> of(const Files& files) {
    if (files.empty()) {
      return std::nullopt;
    }
    const auto [place, is_new] = numbers_.try_emplace(files, lists_.size());
    if (is_new) {
      lists_.push_back(files);
    }
    return place->second;
  }
  const Files& files(size_t number) const { return lists_[number]; }
  bool empty() const { return lists_.empty(); }

 private:
  std::map<Files, size_t> numbers_;
  std::vector<Files> lists_;
};

at::Tensor sequence_of(const ChoiceItem& item, size_t choice) {
  std::vector<int32_t> ids = item.context;
  ids.insert(ids.end(), item.choices[choice].begin(), item.choices[choice].end());
  return at::tensor(ids).to(at::kLong);
}

void check_length(const ModelGraph& model, const ChoiceItem& item, const at::Tensor& ids) {
  if (model.sizes().longest_text > 0 && ids.size(0) > model.sizes().longest_text) {
    throw Error(ErrorCode::Checkpoint,
                item.where + ": context and choice have " + std::to_string(ids.size(0)) +
                    " tokens, more than the " + std::to_string(model.sizes().longest_text) +
                    " that the model can read");
  }
}

size_t largest(const std::vector<double>& scores) {
  return static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

void count(const ChoiceItem& item, const std::vector<double>& sums, ChoicesResult& result) {
  std::vector<double> normalized = sums;
  for (size_t i = 0; i < sums.size(); ++i) {
    normalized[i] /= static_cast<double>(item.characters[i]);
  }
  const auto add = [&](ChoiceCount& to) {
    ++to.items;
    to.right += largest(sums) == item.answer ? 1 : 0;
    to.right_normalized += largest(normalized) == item.answer ? 1 : 0;
  };
  add(result.all);
  if (!item.category.empty()) {
    add(result.by_category[item.category]);
  }
}

}  // namespace

int64_t longest_sequence(std::span<const ChoiceItem> items) {
  size_t longest = 0;
  for (const ChoiceItem& item : items) {
    for (const std::vector<int32_t>& choice : item.choices) {
      longest = std::max(longest, item.context.size() + choice.size());
    }
  }
  return static_cast<int64_t>(longest);
}

ChoicesResult score_choices(ModelGraph& model,
                            const Weights& weights,
                            std::span<const ChoiceItem> items,
                            int64_t samples,
                            const EvaluationResources& resources,
                            const LoadImages& load) {
  const c10::InferenceMode inference;
  const std::vector<ChoiceItem> taken = evenly_spaced(items, samples);
  ChoicesResult result;
  std::vector<Candidate> candidates;
  std::vector<at::Tensor> ids;
  ImageNumbers numbers;
  SequenceImages images;
  for (size_t i = 0; i < taken.size(); ++i) {
    const std::optional<size_t> number = numbers.of(taken[i].images);
    images.of.insert(images.of.end(), taken[i].choices.size(), number);
    result.log_likelihoods.emplace_back(taken[i].choices.size());
    for (size_t choice = 0; choice < taken[i].choices.size(); ++choice) {
      candidates.push_back({i, choice, static_cast<int64_t>(taken[i].context.size())});
      ids.push_back(sequence_of(taken[i], choice));
      check_length(model, taken[i], ids.back());
    }
  }
  if (numbers.empty()) {
    images.of.clear();
  }
  images.load = [&](size_t number) { return load(numbers.files(number)); };
  const auto score = [&](const SequencePass& pass, size_t i, size_t number) {
    const Candidate& candidate = candidates[number];
    result.log_likelihoods[candidate.item][candidate.choice] =
        pass.log_likelihood(i, ids[number], candidate.context_tokens);
  };
  score_sequences(model, weights, ids, resources, score, images);
  for (size_t i = 0; i < taken.size(); ++i) {
    count(taken[i], result.log_likelihoods[i], result);
  }
  return result;
}

}  // namespace oneshot
