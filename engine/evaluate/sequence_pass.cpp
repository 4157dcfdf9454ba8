#include "engine/evaluate/sequence_pass.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/error.h"
#include "engine/graph/parallel_forward.h"

namespace oneshot {
namespace {

/// How many tokens of a text take as much memory as a sequence's images do on their way: judged by
/// the first ones.
int64_t image_tokens(ModelGraph& model, const SequenceImages& images) {
  const auto first = std::find_if(
      images.of.begin(), images.of.end(), [](const auto& number) { return number.has_value(); });
  if (first == images.of.end()) {
    return 0;
  }
  const TowerShapes shapes = model.tower()->shapes(images.load(**first));
  const auto states =
      static_cast<int64_t>(model.tower()->kept.size() + 2) * c10::multiply_integers(shapes.states);
  return (states + c10::multiply_integers(shapes.features)) / model.sizes().hidden + 1;
}

/// What the images of a batch of sequences look like, each once.
class BatchImages {
 public:
  BatchImages(ModelGraph& model,
              const Weights& weights,
              const SequenceImages& images,
              size_t first,
              size_t count,
              const EvaluationSteps& steps) {
    if (images.of.empty()) {
      return;
    }
    std::map<size_t, size_t> places;  // by number
    std::vector<size_t> numbers;
    for (size_t i = first; i < first + count; ++i) {
      if (images.of[i] && places.try_emplace(*images.of[i], numbers.size()).second) {
        numbers.push_back(*images.of[i]);
      }
    }
    std::vector<ImageInput> inputs(numbers.size());
    run_items(numbers.size(), steps, [&](size_t i) { inputs[i] = images.load(numbers[i]); });
    if (!inputs.empty()) {
      seen_ = see_images(*model.tower(), weights, std::move(inputs), steps.threads());
    }
    for (size_t i = first; i < first + count; ++i) {
      of_.push_back(images.of[i] ? &seen_[places.at(*images.of[i])] : nullptr);
    }
  }

  /// Of each sequence of the batch; empty when none has any.
  std::span<const SeenImages* const> of() const { return of_; }

 private:
  std::vector<SeenImages> seen_;
  std::vector<const SeenImages*> of_;
};

}  // namespace

SequencePass::SequencePass(ModelGraph& model,
                           const Weights& weights,
                           std::span<const at::Tensor> ids,
                           EvaluationSteps& steps,
                           std::span<const SeenImages* const> images)
    : model_(model), weights_(weights), steps_(steps) {
  std::map<int64_t, BlockContext> by_length;  // of texts alone
  for (size_t i = 0; i < ids.size(); ++i) {
    const SeenImages* seen = images.empty() ? nullptr : images[i];
    const TextBatch text{ids[i].unsqueeze(0), {}, 0, seen};
    hidden_.push_back(model_.embed(text, weights_));
    const at::ScalarType dtype = hidden_[i].scalar_type();
    if (seen != nullptr) {
      contexts_.push_back(model_.context(text, dtype));
      continue;
    }
    const auto found = by_length.find(ids[i].size(0));
    contexts_.push_back(
        found != by_length.end()
            ? found->second
            : by_length.emplace(ids[i].size(0), model_.context(text, dtype)).first->second);
  }
}

void SequencePass::run_block(size_t index) {
  Block& block = model_.block(index);
  const std::vector<Module*> modules = block.modules();
  run_items(modules.size(), steps_, [&](size_t i) { modules[i]->load(weights_); });
  run_items(hidden_.size(), steps_, [&](size_t i) {
    hidden_[i] = block.forward(hidden_[i], contexts_[i]);
    steps_.add();
  });
  block.unload();
}

void SequencePass::run_blocks() {
  for (size_t i = 0; i < model_.block_count(); ++i) {
    run_block(i);
  }
}

void SequencePass::run_head(const std::function<void(size_t sequence)>& score) {
  load_head();
  run_items(hidden_.size(), steps_, [&](size_t i) {
    score(i);
    steps_.add();
  });
  unload_head();
}

double SequencePass::log_likelihood(size_t sequence, const at::Tensor& ids, int64_t first) const {
  double sum = 0;
  for_positions(first - 1, ids.size(0) - 1, [&](int64_t position, int64_t count) {
    const at::Tensor log_p = at::log_softmax(logits(sequence, position, count), -1, at::kFloat);
    sum += sum_of(log_p, ids.narrow(0, position + 1, count));
  });
  return sum;
}

double sum_of(const at::Tensor& log_p, const at::Tensor& wanted) {
  const double sum = log_p.narrow(0, 0, wanted.size(0))
                         .gather(1, wanted.unsqueeze(1))
                         .sum(at::kDouble)
                         .item<double>();
  if (!std::isfinite(sum)) {
    throw Error(ErrorCode::Failed,
                "the model gives a probability that is not a number; are the weights damaged?");
  }
  return sum;
}

void for_positions(int64_t begin,
                   int64_t end,
                   const std::function<void(int64_t first, int64_t count)>& score) {
  for (int64_t first = begin; first < end; first += kPositionsAtOnce) {
    score(first, std::min(kPositionsAtOnce, end - first));
  }
}

void run_items(size_t count,
               const EvaluationSteps& steps,
               const std::function<void(size_t)>& work) {
  parallel_forward({count, steps.threads(), [&] { return steps.tell(); }}, work);
}

void score_sequences(ModelGraph& model,
                     const Weights& weights,
                     std::span<const at::Tensor> ids,
                     const EvaluationResources& resources,
                     const ScoreSequence& score,
                     const SequenceImages& images) {
  EvaluationSteps steps(static_cast<int64_t>(ids.size() * (model.block_count() + 1)), resources);
  const std::vector<size_t> begins =
      batches_of(ids, resources.tokens_at_once, images, image_tokens(model, images));
  for (size_t batch = 0; batch + 1 < begins.size(); ++batch) {
    const size_t first = begins[batch], count = begins[batch + 1] - first;
    const BatchImages seen(model, weights, images, first, count, steps);
    SequencePass pass(model, weights, ids.subspan(first, count), steps, seen.of());
    pass.run_blocks();
    pass.run_head([&](size_t i) { score(pass, i, first + i); });
  }
}

std::vector<size_t> batches_of(std::span<const at::Tensor> ids,
                               int64_t tokens_at_once,
                               const SequenceImages& images,
                               int64_t image_tokens) {
  std::vector<size_t> begins{0};
  int64_t tokens = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto own = [&](size_t sequence) {
      return images.of.empty() ? std::nullopt : images.of[sequence];
    };
    const bool has_new = own(i) && (i == begins.back() || own(i) != own(i - 1));
    const int64_t more = ids[i].size(0) + (has_new ? image_tokens : 0);
    if (i > begins.back() && tokens + more > tokens_at_once) {
      begins.push_back(i);
      tokens = own(i) ? image_tokens : 0;
      tokens += ids[i].size(0);
      continue;
    }
    tokens += more;
  }
  begins.push_back(ids.size());
  return begins;
}

}  // namespace oneshot
