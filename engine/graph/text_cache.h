// What a model keeps of a text that it reads piece by piece.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace oneshot {

/// What a block keeps of the tokens that it has seen, for those that follow.
struct BlockCache {
  at::Tensor key, value;  // [B, key/value heads, tokens, head_dim], keys rotated; undefined: none
};

/// A text that is read piece by piece: what the blocks keep of it.
struct TextCache {
  std::vector<BlockCache> blocks;
  int64_t tokens = 0;  // that were read
};

}  // namespace oneshot
