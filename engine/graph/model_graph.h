// A model as calibration and evaluation walk it: embedding, blocks in order, norm and head. Only
// what is loaded is in memory, so a model larger than memory runs block by block.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph/block.h"
#include "engine/graph/foldable_pair.h"
#include "engine/graph/layers.h"
#include "engine/graph/model_sizes.h"
#include "engine/graph/text_cache.h"
#include "engine/graph/token_rows.h"
#include "engine/graph/vision_tower.h"

namespace oneshot {

class ModelGraph {
 public:
  /// The parts, made by a family in engine/models.
  struct Parts {
    std::string embedding;                       // name of the module, without ".weight"
    int64_t embedding_rows = 0;                  // 0: as many as the vocabulary has tokens
    std::vector<std::unique_ptr<Block>> blocks;  // in calibration order
    std::unique_ptr<Module> norm;
    std::unique_ptr<Module> head;  // null: tied to the embedding
    std::vector<FoldablePair> foldable;
    ModelSizes sizes;
    std::function<uint64_t(int64_t tokens)> working_bytes;  // see below
    std::function<BlockContext(const TextBatch& batch, at::ScalarType dtype)> context;
    std::unique_ptr<VisionTower> tower;  // null: the model reads texts alone
    /// Where rows of images' features stand in the place of a token's, unless the images say so
    /// themselves (typed_places): as ids, 0 for tokens of the text; rows of lower numbers come
    /// first among the features. Empty: nowhere.
    std::function<at::Tensor(const at::Tensor& ids)> image_places;
  };
  explicit ModelGraph(Parts parts);

  size_t block_count() const { return parts_.blocks.size(); }
  Block& block(size_t index) { return *parts_.blocks.at(index); }
  /// Norm and head as what comes after the last block: hidden states → logits, or → normed ones
  /// where the head is tied to the embedding.
  Block& tail() { return *tail_; }
  const std::vector<FoldablePair>& foldable() const { return parts_.foldable; }
  const ModelSizes& sizes() const { return parts_.sizes; }
  /// Rows of the embedding, so ids that a text may have; the head may have fewer.
  int64_t embedding_rows() const {
    return parts_.embedding_rows > 0 ? parts_.embedding_rows : parts_.sizes.vocabulary;
  }
  /// Null where the model reads texts alone.
  VisionTower* tower() { return parts_.tower.get(); }
  /// True where what images look like stands in rows of the text, and is not looked at again.
  bool features_are_rows() const { return static_cast<bool>(parts_.image_places); }
  /// What a block holds at most, in float32, while it computes a text of that many tokens.
  uint64_t working_bytes(int64_t tokens) const {
    return parts_.working_bytes ? parts_.working_bytes(tokens) : 0;
  }
  /// True when a text that grows to `tokens` must be read anew: its cache holds for shorter ones
  /// only.
  bool must_start_over(const TextCache& cache, int64_t tokens) const {
    const int64_t limit = parts_.sizes.starts_over_after;
    return cache.tokens > 0 && cache.tokens <= limit && tokens > limit;
  }

  /// Blocks of the tower, of the decoder, and the tail.
  std::vector<Block*> all_blocks();

  /// A module of a block, of the tower, or the head; null when there is none of that name.
  Module* find(const std::string& name);
  /// All tensors that the model needs, with their shapes.
  std::vector<NamedShape> tensors();
  /// The same, by what is loaded at a time: the embedding, each block of the tower and of the
  /// decoder, norm and head.
  std::vector<std::vector<NamedShape>> tensors_by_part();

  BlockContext context(const TextBatch& batch, at::ScalarType dtype) const {
    return parts_.context(batch, dtype);
  }

  /// ids [B, T] → hidden states [B, T, hidden size] that go into block 0, with the rows of images
  /// where they stand. throws Checkpoint when there are more or fewer of these than places.
  at::Tensor embed(const TextBatch& batch, const Weights& weights) const;
  /// Hidden states of the last block → normed ones.
  at::Tensor normed(const at::Tensor& hidden, const Weights& weights);
  /// Normed hidden states [..., hidden size] → logits [..., vocabulary].
  at::Tensor logits(const at::Tensor& normed, const Weights& weights);

  /// Norm and head kept loaded for many calls: hidden states of the last block → logits.
  void load_head(const Weights& weights);
  at::Tensor head_logits(const at::Tensor& hidden);
  void unload_head();

  /// The forward pass up to the normed hidden states, a block in memory at a time. `seen` gets the
  /// output of every block. throws Checkpoint for an id outside the vocabulary.
  using BlockOutput = std::function<void(size_t block, const at::Tensor& output)>;
  at::Tensor hidden_states(const TextBatch& batch,
                           const Weights& weights,
                           const BlockOutput& seen = {});

  /// The same for the next tokens, ids [B, T], of a text that `cache` holds so far; the cache is
  /// empty at its start, and grows. Not past a length at which it must start over. images: of the
  /// whole text, all of whose places are in the first piece; null: none.
  at::Tensor next_hidden_states(const at::Tensor& ids,
                                const Weights& weights,
                                TextCache& cache,
                                const SeenImages* images = nullptr);

 private:
  at::Tensor image_places(const TextBatch& batch) const;  // undefined: nowhere

  Parts parts_;
  std::unique_ptr<Block> tail_;
  at::Tensor tied_head_;  // the embedding's weight, while a head that shares it is loaded
};

}  // namespace oneshot
