// What a model reads of a text at a time, and what it keeps of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/graph/image_input.h"

namespace oneshot {

/// What a vision tower made of the images of one text.
struct SeenImages {
  ImageInput input;     // all but pixel_values
  at::Tensor features;  // what the text's part of the model reads; its shape is the family's
};

/// Token ids and which of them are padding.
struct TextBatch {
  at::Tensor ids;     // int64 [B, T]
  at::Tensor mask;    // int64 [B, first + T], 1: a token, 0: padding; undefined: no padding
  int64_t first = 0;  // tokens that came before these, which a cache holds
  const SeenImages* images = nullptr;  // of the whole text, of which there is one then; null: none
  at::Tensor before;                   // int64 [1, first]: the tokens before, where it has images
};

/// What a block keeps of the tokens that it has seen, for those that follow.
struct BlockCache {
  at::Tensor key, value;  // [B, key/value heads, tokens, head_dim], keys rotated; undefined: none
};

/// A text that is read piece by piece: what the blocks keep of it.
struct TextCache {
  std::vector<BlockCache> blocks;
  at::Tensor ids;      // int64 [B, tokens]
  int64_t tokens = 0;  // that were read
};

}  // namespace oneshot
