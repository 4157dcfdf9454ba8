#include "engine/models/attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

#include "engine/kernels/kernels.h"

namespace oneshot {
namespace {

/// Largest negative number of a dtype: what masked scores are set to.
double lowest(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBFloat16:
      return std::numeric_limits<c10::BFloat16>::lowest();
    case at::kHalf:
      return std::numeric_limits<c10::Half>::lowest();
    default:
      return std::numeric_limits<float>::lowest();
  }
}

/// Attention step by step. The fused kernels of LibTorch lose the gradient of rows that are masked
/// whole (left padding): lowest + log(T) is lowest again.
at::Tensor masked_attention(const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value,
                            const at::Tensor& mask) {
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(-1)));
  const at::Tensor scores = at::matmul(query, key.transpose(-1, -2)) * scale + mask;
  return at::matmul(at::softmax(scores, -1, at::kFloat).to(value.scalar_type()), value);
}

// Queries at a time: their scores stay in the caches, and few of them are of keys that none of them
// may see.
constexpr int64_t kQueriesAtOnce = 128;

/// Attention without a mask or a gradient, a range of queries at a time, over the keys that these
/// may see. Heads of the query that share keys are rows of one product.
at::Tensor causal_attention(const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value) {
  const int64_t length = query.size(2), head_dim = query.size(3);
  const int64_t before = key.size(2) - length;  // tokens that a cache holds
  const int64_t batches = key.size(0) * key.size(1);
  const at::Tensor keys = key.reshape({batches, -1, head_dim});
  const at::Tensor values = value.reshape({batches, -1, head_dim});
  at::Tensor result = at::empty(query.sizes(), query.options());
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  for (int64_t begin = 0; begin < length; begin += kQueriesAtOnce) {
    const int64_t count = std::min(kQueriesAtOnce, length - begin);
    const int64_t seen = before + begin + count;
    const at::Tensor rows = query.narrow(2, begin, count).reshape({batches, -1, head_dim});
    at::Tensor scores = at::bmm(rows, keys.narrow(1, 0, seen).transpose(1, 2));
    kernels::causal_softmax_(scores, count, before + begin, scale);
    const at::Tensor mixed = at::bmm(scores, values.narrow(1, 0, seen));
    at::Tensor target = result.narrow(2, begin, count);
    target.copy_(mixed.view(target.sizes()));
  }
  return result;
}

/// Each head, as often as heads of the query share it.
at::Tensor repeat_heads(const at::Tensor& heads, int64_t times) {
  return times > 1 ? heads.repeat_interleave(times, 1) : heads;
}

}  // namespace

at::Tensor attention_mask(const TextBatch& batch, int64_t window, at::ScalarType dtype) {
  const int64_t length = batch.ids.size(1);
  const int64_t seen = batch.first + length;
  const at::Tensor position = at::arange(seen, at::kLong);
  const at::Tensor distance =  // [T, first + T], query − key
      position.narrow(0, batch.first, length).unsqueeze(1) - position.unsqueeze(0);
  at::Tensor allowed = distance >= 0;
  if (window > 0) {
    allowed = allowed.logical_and(distance < window);
  }
  allowed = allowed.view({1, 1, length, seen});
  if (batch.mask.defined()) {
    allowed = allowed.logical_and(batch.mask.to(at::kBool).view({batch.mask.size(0), 1, 1, seen}));
  }
  return at::zeros(allowed.sizes(), dtype).masked_fill(allowed.logical_not(), lowest(dtype));
}

at::Tensor attend(const at::Tensor& query,
                  const at::Tensor& key,
                  const at::Tensor& value,
                  const at::Tensor& mask) {
  const bool tracked = at::GradMode::is_enabled() &&
                       (query.requires_grad() || key.requires_grad() || value.requires_grad());
  if (!mask.defined() && !tracked) {
    return causal_attention(query, key, value);
  }
  const int64_t shared = query.size(1) / key.size(1);
  const at::Tensor all_keys = repeat_heads(key, shared);
  const at::Tensor all_values = repeat_heads(value, shared);
  if (mask.defined()) {
    return masked_attention(query, all_keys, all_values, mask);
  }
  const bool is_causal = query.size(2) > 1;  // one token sees all
  return at::scaled_dot_product_attention(
      query, all_keys, all_values, std::nullopt, 0.0, is_causal);
}

}  // namespace oneshot
