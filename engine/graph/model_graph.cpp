#include "engine/graph/model_graph.h"

#include <ATen/ATen.h>

#include "engine/error.h"

namespace oneshot {
namespace {

class Tail : public Block {
 public:
  Tail(Module& norm, Module* head) : norm_(norm), head_(head) {}

  const std::string& name() const override {
    return head_ != nullptr ? head_->name() : norm_.name();
  }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext&) override {
    const at::Tensor normed = norm_.forward(hidden);
    return head_ != nullptr ? head_->forward(normed) : normed;
  }

  std::vector<Module*> modules() override {
    return head_ != nullptr ? std::vector<Module*>{&norm_, head_} : std::vector<Module*>{&norm_};
  }

 private:
  Module& norm_;
  Module* head_;  // null: tied
};

}  // namespace

ModelGraph::ModelGraph(Parts parts)
    : parts_(std::move(parts)), tail_(std::make_unique<Tail>(*parts_.norm, parts_.head.get())) {}

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
  return parts_.head && parts_.head->name() == name ? parts_.head.get() : nullptr;
}

std::vector<std::vector<std::string>> ModelGraph::module_names() {
  std::vector<std::vector<std::string>> parts{{parts_.embedding}};
  for (const auto& block : parts_.blocks) {
    std::vector<std::string>& names = parts.emplace_back();
    for (Module* module : block->modules()) {
      names.push_back(module->name());
    }
  }
  if (parts_.head) {
    parts.push_back({parts_.head->name()});
  }
  return parts;
}

std::vector<NamedShape> ModelGraph::tensors() {
  std::vector<NamedShape> all{
      {parts_.embedding + ".weight", {parts_.sizes.vocabulary, parts_.sizes.hidden}}};
  const auto add = [&all](Block& block) {
    for (const Module* module : block.modules()) {
      const std::vector<NamedShape> own = module->tensors();
      all.insert(all.end(), own.begin(), own.end());
    }
  };
  for (const auto& block : parts_.blocks) {
    add(*block);
  }
  add(*tail_);
  return all;
}

at::Tensor ModelGraph::embed(const at::Tensor& ids, const Weights& weights) const {
  const std::string table = parts_.embedding + ".weight";
  return weights.load_rows ? weights.load_rows(table, ids) : gather_rows(weights.load(table), ids);
}

at::Tensor gather_rows(const at::Tensor& table, const at::Tensor& ids) {
  if (ids.numel() > 0 &&
      (ids.min().item<int64_t>() < 0 || ids.max().item<int64_t>() >= table.size(0))) {
    throw Error(ErrorCode::Checkpoint,
                "token " + std::to_string(ids.max().item<int64_t>()) +
                    " is outside the model's vocabulary of " + std::to_string(table.size(0)) +
                    "; does the tokenizer belong to the model?");
  }
  return at::embedding(table, ids);
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

void ModelGraph::load_head(const Weights& weights) {
  parts_.norm->load(weights);
  if (parts_.head) {
    parts_.head->load(weights);
  } else {
    tied_head_ = weights.load(parts_.embedding + ".weight");
  }
}

at::Tensor ModelGraph::head_logits(const at::Tensor& hidden) {
  const at::Tensor normed = parts_.norm->forward(hidden);
  return parts_.head ? parts_.head->forward(normed) : at::linear(normed, tied_head_);
}

void ModelGraph::unload_head() {
  parts_.norm->unload();
  if (parts_.head) {
    parts_.head->unload();
  }
  tied_head_ = at::Tensor();
}

at::Tensor ModelGraph::hidden_states(const TextBatch& batch,
                                     const Weights& weights,
                                     const BlockOutput& seen) {
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
  return normed(hidden, weights);
}

at::Tensor ModelGraph::next_hidden_states(const at::Tensor& ids,
                                          const Weights& weights,
                                          TextCache& cache) {
  cache.blocks.resize(block_count());
  at::Tensor hidden = embed(ids, weights);
  BlockContext context = this->context({ids, {}, cache.tokens}, hidden.scalar_type());
  for (size_t i = 0; i < block_count(); ++i) {
    block(i).load(weights);
    context.cache = &cache.blocks[i];
    hidden = block(i).forward(hidden, context);
    block(i).unload();
  }
  cache.tokens += ids.size(1);
  return normed(hidden, weights);
}

}  // namespace oneshot
