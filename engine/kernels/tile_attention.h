// Causal attention in bfloat16 on processors that multiply tiles of it: a block of queries of one
// head at a time, whose scores stay in float32 and in the caches.
#pragma once

#include <ATen/core/Tensor.h>

namespace oneshot::kernels {

// query [B, heads, T, head_dim] · key and value [B, key/value heads, T, head_dim], each head of
// which serves as many of the query as there are more. log_sums: float32 [B, heads, T], of each
// token's scores, for the way back. One thread; the same bytes whoever else computes.

/// Whether the processor has such products, these tensors are bfloat16, and T and head_dim go up in
/// tiles.
bool fits_tile_attention(const at::Tensor& query, const at::Tensor& key);

/// → [B, heads, T, head_dim], which lies in memory as [B, T, heads, head_dim]. log_sums, if
/// defined, is written.
at::Tensor tile_attention(const at::Tensor& query,
                          const at::Tensor& key,
                          const at::Tensor& value,
                          const at::Tensor& log_sums);

struct AttentionGradients {
  at::Tensor query, key, value;
};
/// The way back, which computes the scores anew. Source: FlashAttention, arXiv:2205.14135.
AttentionGradients tile_attention_backward(const at::Tensor& grad,
                                           const at::Tensor& query,
                                           const at::Tensor& key,
                                           const at::Tensor& value,
                                           const at::Tensor& log_sums);

}  // namespace oneshot::kernels
