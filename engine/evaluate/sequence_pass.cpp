#include "engine/evaluate/sequence_pass.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "engine/graph/parallel_forward.h"

namespace oneshot {

SequencePass::SequencePass(ModelGraph& model,
                           const Weights& weights,
                           std::span<const at::Tensor> ids,
                           EvaluationSteps& steps)
    : model_(model), weights_(weights), steps_(steps) {
  const at::Tensor all = at::cat(at::TensorList(ids.data(), ids.size()));  // [all T]
  const at::Tensor embedded = model_.embed({all}, weights_);               // [all T, hidden size]
  int64_t first = 0;
  for (const at::Tensor& sequence : ids) {
    const int64_t length = sequence.size(0);
    hidden_.push_back(embedded.narrow(0, first, length).unsqueeze(0));
    first += length;
    if (!contexts_.contains(length)) {
      contexts_[length] = model_.context({sequence.unsqueeze(0)}, embedded.scalar_type());
    }
  }
}

void SequencePass::run_block(size_t index) {
  Block& block = model_.block(index);
  const std::vector<Module*> modules = block.modules();
  run_items(modules.size(), steps_, [&](size_t i) { modules[i]->load(weights_); });
  run_items(hidden_.size(), steps_, [&](size_t i) {
    hidden_[i] = block.forward(hidden_[i], contexts_.at(hidden_[i].size(1)));
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
                     const ScoreSequence& score) {
  EvaluationSteps steps(static_cast<int64_t>(ids.size() * (model.block_count() + 1)), resources);
  const std::vector<size_t> begins = batches_of(ids, resources.tokens_at_once);
  for (size_t batch = 0; batch + 1 < begins.size(); ++batch) {
    const size_t first = begins[batch];
    SequencePass pass(model, weights, ids.subspan(first, begins[batch + 1] - first), steps);
    pass.run_blocks();
    pass.run_head([&](size_t i) { score(pass, i, first + i); });
  }
}

std::vector<size_t> batches_of(std::span<const at::Tensor> ids, int64_t tokens_at_once) {
  std::vector<size_t> begins{0};
  int64_t tokens = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > begins.back() && tokens + ids[i].size(0) > tokens_at_once) {
      begins.push_back(i);
      tokens = 0;
    }
    tokens += ids[i].size(0);
  }
  begins.push_back(ids.size());
  return begins;
}

}  // namespace oneshot
