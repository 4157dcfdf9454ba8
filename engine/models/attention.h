// Self-attention of decoders: who sees whom, and the mixing of values.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/graph/model_graph.h"

namespace oneshot {

/// Additive mask [B or 1, 1, T, first + T] of the tokens of a batch over themselves and those that
/// a cache holds: 0 where a token may look, else the lowest number. window: how many tokens back
/// one may look, itself included; 0: all.
at::Tensor attention_mask(const TextBatch& batch, int64_t window, at::ScalarType dtype);

/// Causal attention. query [B, heads, T, head_dim] · key and value [B, key/value heads, first + T,
/// head_dim], each head of which serves as many of the query as there are more.
/// mask: as above; undefined: every token sees itself and all before it.
at::Tensor attend(const at::Tensor& query,
                  const at::Tensor& key,
                  const at::Tensor& value,
                  const at::Tensor& mask);

/// Adds the keys and values of new tokens to those that a cache holds, and gives back all of them.
void remember(BlockCache& cache, at::Tensor& key, at::Tensor& value);

}  // namespace oneshot
