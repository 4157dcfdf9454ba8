// The softmax of attention scores and its way back, in place: of each row only what a token may
// see.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/causal_softmax.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
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

// The exponential of what is not above 0 but for rounding; 0 below the least power.
template <class D>
HWY_INLINE hn::Vec<D> exponential(D df, hn::Vec<D> power) {
  return hn::IfThenElseZero(hn::Ge(power, hn::Set(df, kLeast)),
                            hn::Exp(df, hn::Max(power, hn::Set(df, kLeast))));
}

// values[i] = exp(scale · (values[i] − largest)); gives back their sum.
template <class D>
HWY_INLINE float exponentials(D df, float scale, float largest, size_t count, float* values) {
  auto sum = hn::Zero(df);
  for (size_t i = 0; i < count; i += hn::Lanes(df)) {
    const auto below = hn::Sub(hn::LoadU(df, values + i), hn::Set(df, largest));
    const auto result = exponential(df, hn::Mul(below, hn::Set(df, scale)));
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
    if (job.log_sums != nullptr) {
      job.log_sums[r] = job.scale * largest + std::log(sum);
    }
  }
}

// The scores of a row become its probabilities, in `values` too. Gives back the sum of probability
// · gradient.
template <class Number, class D>
HWY_INLINE float probabilities(D df, const SoftmaxJob& job, size_t r, size_t count, float* values) {
  using Bits = typename Number::Bits;
  const size_t lanes = hn::Lanes(df);
  Bits* row = static_cast<Bits*>(job.scores) + r * job.columns;
  const Bits* grad = static_cast<const Bits*>(job.grad) + r * job.columns;
  const auto log_sum = hn::Set(df, job.log_sums[r]);
  auto sum = hn::Zero(df);
  const auto step = [&](Bits* scores, const Bits* grads, float* at) HWY_ATTR {
    const auto power = hn::MulSub(Number::load(df, scores), hn::Set(df, job.scale), log_sum);
    const auto p = exponential(df, power);
    hn::StoreU(p, df, at);
    Number::store(df, p, scores);
    sum = hn::MulAdd(p, Number::load(df, grads), sum);
  };
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    step(row + i, grad + i, values + i);
  }
  if (i < count) {  // a gradient of 0 adds nothing
    Bits scores[hn::MaxLanes(df)] = {}, grads[hn::MaxLanes(df)] = {};
    std::copy(row + i, row + count, scores);
    std::copy(grad + i, grad + count, grads);
    step(scores, grads, values + i);
    std::copy(scores, scores + (count - i), row + i);
  }
  return hn::GetLane(hn::SumOfLanes(df, sum));
}

// grad[i] = scale · values[i] · (grad[i] − dot).
template <class Number, class D>
HWY_INLINE void back_row(
    D df, const float* values, float dot, float scale, size_t count, typename Number::Bits* grad) {
  const size_t lanes = hn::Lanes(df);
  const auto step = [&](const float* p, typename Number::Bits* at) HWY_ATTR {
    const auto scaled = hn::Mul(hn::LoadU(df, p), hn::Set(df, scale));
    Number::store(df, hn::Mul(scaled, hn::Sub(Number::load(df, at), hn::Set(df, dot))), at);
  };
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    step(values + i, grad + i);
  }
  if (i < count) {
    typename Number::Bits rest[hn::MaxLanes(df)] = {};
    std::copy(grad + i, grad + count, rest);
    step(values + i, rest);
    std::copy(rest, rest + (count - i), grad + i);
  }
}

template <class Number>
HWY_INLINE void back_rows(const SoftmaxJob& job) {
  using Bits = typename Number::Bits;
  const hn::ScalableTag<float> df;
  std::vector<float> values(job.columns + hn::Lanes(df));
  for (size_t r = 0; r < job.rows; ++r) {
    Bits* row = static_cast<Bits*>(job.scores) + r * job.columns;
    Bits* grad = static_cast<Bits*>(job.grad) + r * job.columns;
    const size_t seen = job.first + r % job.period + 1;
    const float dot = probabilities<Number>(df, job, r, seen, values.data());
    back_row<Number>(df, values.data(), dot, job.scale, seen, grad);
    std::fill(row + seen, row + job.columns, Bits{});
    std::fill(grad + seen, grad + job.columns, Bits{});
  }
}

void softmax(const SoftmaxJob& job) {
  job.storage == Storage::Float32 ? softmax_rows<Float32>(job) : softmax_rows<BFloat16>(job);
}

void softmax_back(const SoftmaxJob& job) {
  job.storage == Storage::Float32 ? back_rows<Float32>(job) : back_rows<BFloat16>(job);
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
namespace {
HWY_EXPORT(softmax);
HWY_EXPORT(softmax_back);

SoftmaxJob softmax_job(at::Tensor& scores, const CausalRows& rows, const at::Tensor& log_sums) {
  const auto columns = static_cast<size_t>(scores.size(-1));
  return {.scores = scores.mutable_data_ptr(),
          .grad = nullptr,
          .log_sums = log_sums.defined() ? log_sums.mutable_data_ptr<float>() : nullptr,
          .storage = storage_of(scores),
          .rows = static_cast<size_t>(scores.numel()) / columns,
          .columns = columns,
          .period = static_cast<size_t>(rows.period),
          .first = static_cast<size_t>(rows.first),
          .scale = static_cast<float>(rows.scale)};
}

}  // namespace

void causal_softmax(at::Tensor& scores, const CausalRows& rows, const at::Tensor& log_sums) {
  HWY_DYNAMIC_DISPATCH(softmax)(softmax_job(scores, rows, log_sums));
}

void causal_softmax_backward(at::Tensor& scores,
                             at::Tensor& grad,
                             const CausalRows& rows,
                             const at::Tensor& log_sums) {
  SoftmaxJob job = softmax_job(scores, rows, log_sums);
  job.grad = grad.mutable_data_ptr();
  HWY_DYNAMIC_DISPATCH(softmax_back)(job);
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
