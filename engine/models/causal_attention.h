// Attention without a mask, and its way back.
#pragma once

#include <ATen/core/Tensor.h>

namespace oneshot {

/// Every token sees itself and all before it. query [B, heads, T, head_dim] · key and value [B,
/// key/value heads, first + T, head_dim], each head of which serves as many of the query as there
/// are more → [B, heads, T, head_dim], which lies in memory as [B, T, heads, head_dim].
/// A range of queries at a time, so that what is held does not grow with T²; the way back computes
/// the scores anew. Source of that: FlashAttention, arXiv:2205.14135.
at::Tensor causal_attention(const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value);

}  // namespace oneshot
