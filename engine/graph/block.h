// One layer of a model, the unit that is loaded, calibrated and tuned at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "engine/graph/module.h"
#include "engine/graph/text_cache.h"

namespace oneshot {

/// What all blocks of a forward pass share, but for the cache.
struct BlockContext {
  at::Tensor cosine, sine;      // [1, T, rotated dims], in the dtype of the hidden states
  at::Tensor mask;              // additive, [B or 1, 1, T, seen]; undefined: plain causal
  at::Tensor windowed_mask;     // of blocks with a sliding window; undefined: as `mask`
  BlockCache* cache = nullptr;  // of the block that computes; null: it keeps nothing
};

/// Where the keys and values of an attention pass that a cache would keep, [B, heads, T, head dim].
struct CacheStates {
  std::string attention;  // name of the module
  Module* key = nullptr;  // null: the block has no attention
  Module* value = nullptr;
};

/// One decoder layer.
class Block {
 public:
  virtual ~Block() = default;

  virtual const std::string& name() const = 0;
  /// hidden [B, T, hidden size] → the same shape.
  virtual at::Tensor forward(const at::Tensor& hidden, const BlockContext& context) = 0;
  /// Its modules, in the order in which they compute.
  virtual std::vector<Module*> modules() = 0;
  virtual CacheStates cache_states() { return {}; }

  void load(const Weights& weights);
  void unload();
};

}  // namespace oneshot
