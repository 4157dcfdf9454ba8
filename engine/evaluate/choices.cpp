#include "engine/evaluate/choices.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <map>
#include <optional>

#include "engine/error.h"

namespace oneshot {
namespace {

/// A context with one of its choices.
struct Candidate {
  size_t item = 0, choice = 0;
  int64_t context_tokens = 0;
};

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

/// Of the context, with its longest choice.
size_t tokens_of(const ChoiceItem& item) {
  size_t longest = 0;
  for (const std::vector<int32_t>& choice : item.choices) {
    longest = std::max(longest, choice.size());
  }
  return item.context.size() + longest;
}

size_t largest(const std::vector<double>& scores) {
  return static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

void count(const ChoiceItem& item, const std::vector<double>& sums, ChoicesResult& result) {
  std::vector<double> normalized = sums;
  for (size_t i = 0; i < sums.size(); ++i) {
    normalized[i] /= static_cast<double>(item.characters[i]);
  }
  result.add(
      item, largest(sums) == item.answer ? 1 : 0, largest(normalized) == item.answer ? 1 : 0);
}

}  // namespace

void ChoicesResult::add(const ChoiceItem& item, double right, double right_normalized) {
  const auto add_to = [&](ChoiceCount& count) {
    ++count.items;
    count.right += right;
    count.right_normalized += right_normalized;
  };
  add_to(all);
  if (!item.category.empty()) {
    add_to(by_category[item.category]);
  }
}

std::vector<ChoiceItem> evenly_spaced(std::span<const ChoiceItem> items, int64_t samples) {
  const auto all = static_cast<int64_t>(items.size());
  const int64_t count = samples > 0 ? std::min(samples, all) : all;
  std::vector<ChoiceItem> taken;
  for (int64_t i = 0; i < count; ++i) {
    taken.push_back(items[static_cast<size_t>(i * all / count)]);
  }
  return taken;
}

void check_lengths(const ModelGraph& model, std::span<const ChoiceItem> items) {
  const int64_t longest = model.sizes().longest_text;
  for (const ChoiceItem& item : items) {
    const auto tokens = static_cast<int64_t>(tokens_of(item));
    if (longest > 0 && tokens > longest) {
      throw Error(ErrorCode::Checkpoint,
                  item.where + ": " +
                      (item.has_choices() ? "context and choice have " : "the context has ") +
                      std::to_string(tokens) + " tokens, more than the " + std::to_string(longest) +
                      " that the model can read");
    }
  }
}

int64_t longest_sequence(std::span<const ChoiceItem> items) {
  size_t longest = 0;
  for (const ChoiceItem& item : items) {
    longest = std::max(longest, tokens_of(item));
  }
  return static_cast<int64_t>(longest);
}

ChoicesResult score_choices(ModelGraph& model,
                            const Weights& weights,
                            std::span<const ChoiceItem> items,
                            const EvaluationResources& resources,
                            const LoadImages& load) {
  const c10::InferenceMode inference;
  check_lengths(model, items);
  ChoicesResult result;
  std::vector<Candidate> candidates;
  std::vector<at::Tensor> ids;
  ImageNumbers numbers;
  SequenceImages images;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::optional<size_t> number = numbers.of(items[i].images);
    images.of.insert(images.of.end(), items[i].choices.size(), number);
    result.log_likelihoods.emplace_back(items[i].choices.size());
    for (size_t choice = 0; choice < items[i].choices.size(); ++choice) {
      candidates.push_back({i, choice, static_cast<int64_t>(items[i].context.size())});
      ids.push_back(sequence_of(items[i], choice));
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
  for (size_t i = 0; i < items.size(); ++i) {
    count(items[i], result.log_likelihoods[i], result);
  }
  return result;
}

}  // namespace oneshot
