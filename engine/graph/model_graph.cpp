#include "engine/graph/model_graph.h"

#include <ATen/ATen.h>

namespace oneshot {

void Block::load(const Weights& weights) {
  for (Module* module : modules()) {
    module->load(weights);
  }
}

void Block::unload() {
  for (Module* module : modules()) {
    module->unload();
  }
}

Module* ModelGraph::find(const std::string& name) {
  for (const auto& block : parts_.blocks) {
    for (Module* module : block->modules()) {
      if (module->name() == name) {
        return module;
      }
    }
  }
  return nullptr;
}

at::Tensor ModelGraph::embed(const at::Tensor& ids, const Weights& weights) const {
  return at::embedding(weights.load(parts_.embedding + ".weight"), ids);
}

at::Tensor ModelGraph::normed(const at::Tensor& hidden, const Weights& weights) {
  parts_.norm->load(weights);
  at::Tensor result = parts_.norm->forward(hidden);
  parts_.norm->unload();
  return result;
}

at::Tensor ModelGraph::logits(const at::Tensor& normed, const Weights& weights) {
  if (!parts_.head) {
    return at::linear(normed, weights.load(parts_.embedding + ".weight"));
  }
  parts_.head->load(weights);
  at::Tensor result = parts_.head->forward(normed);
  parts_.head->unload();
  return result;
}

at::Tensor ModelGraph::forward(const TextBatch& batch,
                               const Weights& weights,
                               const std::function<void(size_t, const at::Tensor&)>& seen) {
  at::Tensor hidden = embed(batch.ids, weights);
  const BlockContext context = this->context(batch, hidden.scalar_type());
  for (size_t i = 0; i < block_count(); ++i) {
    block(i).load(weights);
    hidden = block(i).forward(hidden, context);
    block(i).unload();
    if (seen) {
      seen(i, hidden);
    }
  }
  return logits(normed(hidden, weights), weights);
}

}  // namespace oneshot
