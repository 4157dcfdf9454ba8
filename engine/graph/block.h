// One layer of a model, the unit that is loaded, calibrated and tuned at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "engine/graph/image_input.h"
#include "engine/graph/module.h"
#include "engine/graph/text_cache.h"

namespace oneshot {

/// What all blocks of a forward pass share, but for the cache. Of a vision tower: of the pass of
/// the images of one text.
struct BlockContext {
  at::Tensor cosine, sine;      // [1, T, rotated dims], in the dtype of the hidden states
  at::Tensor positions;         // int64 [1, T], for blocks that hold frequencies of their own
  at::Tensor mask;              // additive, [B or 1, 1, T, seen]; undefined: plain causal
  at::Tensor windowed_mask;     // of blocks with a sliding window; undefined: as `mask`
  BlockCache* cache = nullptr;  // of the block that computes; null: it keeps nothing

  // Of decoders that look at images in blocks of their own.
  at::Tensor cross_states;  // what the images look like, [1, S, hidden size]; undefined: no image
  at::Tensor cross_mask;    // additive, [1, 1, T, parts]: each of S / parts rows of cross_states
  at::Tensor cross_rows;    // [1, T, 1]: 1 for tokens that see an image, else 0
  at::Tensor vision_rows;   // bool [1, T]: tokens that vision experts compute; undefined: none

  // Of vision towers.
  const ImageInput* images = nullptr;    // all but pixel_values; outlives the pass
  std::vector<at::Tensor> kept;          // outputs of blocks before, for the last block
  std::vector<int64_t> frames, windows;  // tokens that see each other, lengths of their runs
  at::Tensor order;                      // int64 [T / merged]: places of the tokens, in windows
};

/// Where the keys and values of an attention pass that a cache would keep, [B, heads, T, head dim].
struct CacheStates {
  std::string attention;  // name of the module
  Module* key = nullptr;  // null: the block has no attention
  Module* value = nullptr;
};

/// One decoder layer, or a part of a vision tower.
class Block {
 public:
  virtual ~Block() = default;

  virtual const std::string& name() const = 0;
  /// hidden [B, T, hidden size] → the same shape. The first and the last block of a vision tower:
  /// see vision_tower.h.
  virtual at::Tensor forward(const at::Tensor& hidden, const BlockContext& context) = 0;
  /// Its modules, in the order in which they compute.
  virtual std::vector<Module*> modules() = 0;
  virtual CacheStates cache_states() { return {}; }

  void load(const Weights& weights);
  void unload();
};

}  // namespace oneshot
