#include "engine/models/attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "engine/models/causal_attention.h"

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
  if (!mask.defined()) {
    return causal_attention(query, key, value);
  }
  const int64_t shared = query.size(1) / key.size(1);
  return masked_attention(query, repeat_heads(key, shared), repeat_heads(value, shared), mask);
}

void remember(BlockCache& cache, at::Tensor& key, at::Tensor& value) {
  if (cache.key.defined()) {
    key = at::cat({cache.key, key}, 2);
    value = at::cat({cache.value, value}, 2);
  }
  cache = {key, value};
}

}  // namespace oneshot
