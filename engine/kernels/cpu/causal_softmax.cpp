// The softmax of attention scores, in place: of each row only what a token may see.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/causal_softmax.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/cpu/float_rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float kLeast = -87.0f;  // its exponential is the least that is no subnormal

// The first `count` scores of a row, in float32, with the lowest number behind them up to a whole
// vector. Gives back their largest.
template <class Number, class D>
HWY_INLINE float widen(D df, const typename Number::Bits* row, size_t count, float* values) {
  using Bits = typename Number::Bits;
  const size_t lanes = hn::Lanes(df);
  auto largest = hn::Set(df, std::numeric_limits<float>::lowest());
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto v = Number::load(df, row + i);
    largest = hn::Max(largest, v);
    hn::StoreU(v, df, values + i);
  }
  if (i < count) {
    Bits rest[hn::MaxLanes(df)] = {};
    std::copy(row + i, row + count, rest);
    hn::StoreU(Number::load(df, rest), df, values + i);
    std::fill(values + count, values + i + lanes, std::numeric_limits<float>::lowest());
    largest = hn::Max(largest, hn::LoadU(df, values + i));
  }
  return hn::GetLane(hn::MaxOfLanes(df, largest));
}

// values[i] = exp(scale · (values[i] − largest)); gives back their sum.
template <class D>
HWY_INLINE float exponentials(D df, float scale, float largest, size_t count, float* values) {
  auto sum = hn::Zero(df);
  for (size_t i = 0; i < count; i += hn::Lanes(df)) {
    const auto below = hn::Sub(hn::LoadU(df, values + i), hn::Set(df, largest));
    const auto power = hn::Mul(below, hn::Set(df, scale));
    const auto result = hn::IfThenElseZero(hn::Ge(power, hn::Set(df, kLeast)),
                                           hn::Exp(df, hn::Max(power, hn::Set(df, kLeast))));
    hn::StoreU(result, df, values + i);
    sum = hn::Add(sum, result);
  }
  return hn::GetLane(hn::SumOfLanes(df, sum));
}

template <class Number, class D>
HWY_INLINE void narrow(
    D df, const float* values, float factor, size_t count, typename Number::Bits* row) {
  const size_t lanes = hn::Lanes(df);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    Number::store(df, hn::Mul(hn::LoadU(df, values + i), hn::Set(df, factor)), row + i);
  }
  if (i < count) {
    typename Number::Bits rest[hn::MaxLanes(df)];
    Number::store(df, hn::Mul(hn::LoadU(df, values + i), hn::Set(df, factor)), rest);
    std::copy(rest, rest + (count - i), row + i);
  }
}

template <class Number>
HWY_INLINE void softmax_rows(const SoftmaxJob& job) {
  using Bits = typename Number::Bits;
  const hn::ScalableTag<float> df;
  std::vector<float> values(job.columns + hn::Lanes(df));
  for (size_t r = 0; r < job.rows; ++r) {
    Bits* row = static_cast<Bits*>(job.scores) + r * job.columns;
    const size_t seen = job.first + r % job.period + 1;
    const float largest = widen<Number>(df, row, seen, values.data());
    const float sum = exponentials(df, job.scale, largest, seen, values.data());
    narrow<Number>(df, values.data(), 1.0f / sum, seen, row);
    std::fill(row + seen, row + job.columns, Bits{});
  }
}

void softmax(const SoftmaxJob& job) {
  job.storage == Storage::Float32 ? softmax_rows<Float32>(job) : softmax_rows<BFloat16>(job);
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(softmax);

void causal_softmax_(at::Tensor& scores, int64_t period, int64_t first, double scale) {
  const auto columns = static_cast<size_t>(scores.size(-1));
  HWY_DYNAMIC_DISPATCH(softmax)
  ({.scores = scores.mutable_data_ptr(),
    .storage = storage_of(scores),
    .rows = static_cast<size_t>(scores.numel()) / columns,
    .columns = columns,
    .period = static_cast<size_t>(period),
    .first = static_cast<size_t>(first),
    .scale = static_cast<float>(scale)});
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
