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

/// The row of the features that stands at each place, of places of these kinds.
at::Tensor feature_rows(const at::Tensor& kinds) {
  return kinds.to(at::kLong).argsort(/*stable=*/true, 0, /*descending=*/false).argsort();
}

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

std::vector<Block*> ModelGraph::all_blocks() {
  std::vector<Block*> all;
  if (parts_.tower) {
    for (const auto& block : parts_.tower->blocks) {
      all.push_back(block.get());
    }
  }
  for (const auto& block : parts_.blocks) {
    all.push_back(block.get());
  }
  all.push_back(tail_.get());
  return all;
}

Module* ModelGraph::find(const std::string& name) {
  for (Block* block : all_blocks()) {
    for (Module* module : block->modules()) {
      if (module->name() == name) {
        return module;
      }
    }
  }
  return nullptr;
}

std::vector<std::vector<NamedShape>> ModelGraph::tensors_by_part() {
  std::vector<std::vector<NamedShape>> parts{
      {{parts_.embedding + ".weight", {embedding_rows(), parts_.sizes.hidden}}}};
  for (Block* block : all_blocks()) {
    std::vector<NamedShape>& part = parts.emplace_back();
    for (const Module* module : block->modules()) {
      const std::vector<NamedShape> own = module->tensors();
      part.insert(part.end(), own.begin(), own.end());
    }
  }
  return parts;
}

std::vector<NamedShape> ModelGraph::tensors() {
  std::vector<NamedShape> all;
  for (const std::vector<NamedShape>& part : tensors_by_part()) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

at::Tensor ModelGraph::image_places(const TextBatch& batch) const {
  if (!parts_.image_places) {
    return {};
  }
  const at::Tensor typed = typed_places(batch);
  return typed.defined() ? typed.narrow(1, batch.first, batch.ids.size(1))
                         : parts_.image_places(batch.ids);
}

at::Tensor ModelGraph::embed(const TextBatch& batch, const Weights& weights) const {
  const at::Tensor kinds = image_places(batch);
  const at::Tensor places = kinds.defined() ? kinds.ne(0) : at::Tensor();
  const at::Tensor ids = places.defined() ? batch.ids.masked_fill(places, 0) : batch.ids;
  const std::string table = parts_.embedding + ".weight";
  at::Tensor hidden =
      weights.load_rows ? weights.load_rows(table, ids) : gather_rows(weights.load(table), ids);
  if (!places.defined() || batch.first > 0) {
    return hidden;
  }
  const int64_t wanted = places.sum().item<int64_t>();
  const int64_t found =
      batch.images != nullptr ? batch.images->features.numel() / parts_.sizes.hidden : 0;
  if (wanted != found) {
    throw Error(ErrorCode::Checkpoint,
                "a text has " + std::to_string(wanted) + " places for rows of images, its images " +
                    "give " + std::to_string(found));
  }
  if (wanted > 0) {
    const at::Tensor features = batch.images->features.reshape({-1, parts_.sizes.hidden});
    const at::Tensor rows = feature_rows(kinds.masked_select(places));
    hidden = hidden.clone();
    hidden.index_put_({places}, features.index_select(0, rows).to(hidden));
  }
  return hidden;
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
  at::Tensor hidden = embed(batch, weights);
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
                                          TextCache& cache,
                                          const SeenImages* images) {
  cache.blocks.resize(block_count());
  const TextBatch batch{ids, {}, cache.tokens, images, cache.ids};
  at::Tensor hidden = embed(batch, weights);
  BlockContext context = this->context(batch, hidden.scalar_type());
  for (size_t i = 0; i < block_count(); ++i) {
    block(i).load(weights);
    context.cache = &cache.blocks[i];
    hidden = block(i).forward(hidden, context);
    block(i).unload();
  }
  cache.ids = cache.ids.defined() ? at::cat({cache.ids, ids}, 1) : ids;
  cache.tokens += ids.size(1);
  return normed(hidden, weights);
}

}  // namespace oneshot
