// One step of a weight's parameters down the signs of their gradients: the scales of some rows, the
// elements in one pass that also sums the gradients of the scales, then the factors.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/sign_step.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "engine/kernels/cpu/fp4_value_inl.h"
#include "engine/kernels/cpu/group_scales_inl.h"
#include "engine/kernels/cpu/sixteen_sums_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using V = hn::Vec<SumTag>;
using M = hn::Mask<SumTag>;

// rate · sign(gradient), and 0 for 0 and NaN.
template <class D>
HWY_INLINE hn::Vec<D> signed_rate(D df, hn::Vec<D> gradient, hn::Vec<D> rate) {
  const auto signed_one = hn::Xor(rate, hn::And(gradient, hn::SignBit(df)));
  return hn::IfThenElseZero(hn::Gt(hn::Abs(gradient), hn::Zero(df)), signed_one);
}

// What an element gives: whether its rounding has a gradient (the clamp changed nothing), and
// d value/d scale.
struct Slopes {
  M steps;
  V by_scale;
};

// The arithmetic of one group, its constants in registers. Only a zero point gets a gradient from
// the elements outside.
template <bool kHasZeroPoint>
struct IntegerSlopes {
  static constexpr bool kSumsOutside = kHasZeroPoint;
  V scale, low, high;

  HWY_INLINE IntegerSlopes(const TuneJob& job, const GroupNumbers& numbers, size_t group)
      : scale(hn::Set(SumTag(), numbers.scale[group])),
        low(hn::Set(SumTag(), numbers.low[group])),
        high(hn::Set(SumTag(), numbers.low[group] + job.levels)) {}

  HWY_INLINE Slopes operator()(V weight, V rounding) const {
    const SumTag df;
    const auto one = hn::Set(df, 1.0F);
    const V quotient = hn::Div(weight, scale);
    const V exact = hn::Add(quotient, rounding);
    // One code beyond both limits still shows that it is beyond.
    const V near = hn::Min(hn::Max(exact, hn::Sub(low, one)), hn::Add(high, one));
    const V integer = rounded(df, near);
    const V code = hn::Min(hn::Max(integer, low), high);
    const M inside = hn::Eq(code, integer);
    return {inside, hn::Sub(code, hn::IfThenElseZero(inside, quotient))};
  }
};

struct MxSlopes {
  static constexpr bool kSumsOutside = false;
  V inverse;

  HWY_INLINE MxSlopes(const TuneJob& /*job*/, const GroupNumbers& numbers, size_t group)
      : inverse(hn::Set(SumTag(), numbers.inverse[group])) {}

  HWY_INLINE Slopes operator()(V weight, V rounding) const {
    const SumTag df;
    const V scaled = hn::Mul(weight, inverse);
    const V value = hn::Add(scaled, rounding);
    const V magnitude = hn::Abs(value);
    const V fp4 = to_fp4(df, value).value;
    const M passes = hn::And(hn::Le(magnitude, hn::Set(df, 6.0F)), hn::Ne(value, hn::Zero(df)));
    const M is_large = hn::Ge(magnitude, hn::Set(df, 1.0F));
    const V moved = hn::IfThenElse(is_large, hn::Mul(fp4, hn::Div(scaled, value)), scaled);
    return {passes, hn::Sub(fp4, hn::IfThenElseZero(passes, moved))};
  }
};

struct GroupSums {
  SixteenSums by_scale, outside;
};

// Where a group's elements are.
template <class Weight, class Gradient>
struct Elements {
  const typename Weight::Bits* weight;
  const typename Gradient::Bits* gradient;
  float* rounding;

  HWY_INLINE Elements from(size_t i) const { return {weight + i, gradient + i, rounding + i}; }
};

// Sixteen elements of a group.
template <class Weight, class Gradient, class Group>
HWY_INLINE void step_sixteen(const Group& group,
                             V rate,
                             const Elements<Weight, Gradient>& at,
                             GroupSums& sums) {
  const SumTag df;
  for (size_t lane = 0; lane < kSums; lane += hn::Lanes(df)) {
    const V g = Gradient::load(df, at.gradient + lane);
    const V v = hn::LoadU(df, at.rounding + lane);
    const Slopes slopes = group(Weight::load(df, at.weight + lane), v);
    const V step = hn::IfThenElseZero(slopes.steps, signed_rate(df, g, rate));
    hn::StoreU(hn::Sub(v, step), df, at.rounding + lane);
    sums.by_scale.add(df, lane, hn::Mul(g, slopes.by_scale));
    if constexpr (Group::kSumsOutside) {
      sums.outside.add(df, lane, hn::IfThenZeroElse(slopes.steps, g));
    }
  }
}

// The elements of one group; fewer than sixteen are filled up with zeros, which change nothing.
template <class Weight, class Gradient, class Group>
HWY_INLINE void step_group(const Group& group,
                           V rate,
                           const Elements<Weight, Gradient>& all,
                           size_t size,
                           GroupSums& sums) {
  size_t i = 0;
  for (; i + kSums <= size; i += kSums) {
    step_sixteen(group, rate, all.from(i), sums);
  }
  if (i < size) {
    typename Weight::Bits weight[kSums] = {};
    typename Gradient::Bits gradient[kSums] = {};
    float rounding[kSums] = {};
    std::copy(all.weight + i, all.weight + size, weight);
    std::copy(all.gradient + i, all.gradient + size, gradient);
    std::copy(all.rounding + i, all.rounding + size, rounding);
    step_sixteen(group, rate, Elements<Weight, Gradient>{weight, gradient, rounding}, sums);
    std::copy(rounding, rounding + (size - i), all.rounding + i);
  }
}

// The numbers of a chunk's groups, and the gradients of their scales.
struct ScaleGradients {
  const GroupNumbers& numbers;
  std::vector<float> by_scale, outside;
};

template <class Slopes, class Weight, class Gradient>
HWY_INLINE void step_elements(const StepJob& job, const Chunk& chunk, ScaleGradients& gradients) {
  const Groups& in = job.tuned.in;
  const Elements<Weight, Gradient> all = {static_cast<const typename Weight::Bits*>(in.weight),
                                          static_cast<const typename Gradient::Bits*>(job.gradient),
                                          job.tuned.rounding};
  size_t group = 0;
  for (size_t row = chunk.first_row; row < chunk.first_row + chunk.rows; ++row) {
    for (size_t begin = 0; begin < in.columns; begin += in.group_size, ++group) {
      // A code grows with the weight ÷ scale: a negative scale turns the step around.
      const float rate = gradients.numbers.scale[group] < 0 ? -job.rate : job.rate;
      GroupSums sums;
      step_group(Slopes(job.tuned, gradients.numbers, group),
                 hn::Set(SumTag(), rate),
                 all.from(row * in.columns + begin),
                 std::min(in.group_size, in.columns - begin),
                 sums);
      gradients.by_scale[group] = sums.by_scale.total();
      if constexpr (Slopes::kSumsOutside) {
        gradients.outside[group] = sums.outside.total();
      }
    }
  }
}

template <class D>
struct FactorGradients {
  hn::Vec<D> min, max;
};

// As the reference has them.
template <class D>
HWY_INLINE FactorGradients<D> symmetric_factors(D df,
                                                const TuneJob& job,
                                                size_t at,
                                                hn::Vec<D> passed) {
  if (job.start) {
    return {hn::Zero(df), hn::Mul(passed, hn::LoadU(df, job.start + at))};
  }
  const Ends<D> ends(df, job, at);
  const auto is_negative = hn::Lt(ends.positive, ends.negative);
  const auto d_largest = hn::IfThenElse(is_negative, passed, hn::Neg(passed));
  const auto d_min = hn::Mul(d_largest, hn::Neg(hn::LoadU(df, job.min + at)));
  const auto d_max = hn::Mul(d_largest, hn::LoadU(df, job.max + at));
  return {hn::IfThenElseZero(hn::Ge(ends.negative, ends.positive), d_min),
          hn::IfThenElseZero(hn::Ge(ends.positive, ends.negative), d_max)};
}

template <class D>
HWY_INLINE FactorGradients<D> factor_gradients(
    D df, const TuneJob& job, size_t at, const ScaleGradients& gradients, size_t group) {
  const GroupNumbers& numbers = gradients.numbers;
  const auto is_free = hn::Ne(hn::LoadU(df, &numbers.free[group]), hn::Zero(df));
  const auto d_scale = hn::LoadU(df, &gradients.by_scale[group]);
  if (job.codes == TunedCodes::Mx) {
    return {hn::Zero(df), hn::IfThenElseZero(is_free, d_scale)};
  }
  if (job.codes == TunedCodes::Symmetric) {
    return symmetric_factors(df, job, at, hn::IfThenElseZero(is_free, d_scale));
  }
  const auto outside = hn::LoadU(df, &gradients.outside[group]);
  const auto scale = hn::LoadU(df, &numbers.scale[group]);
  const auto low_codes = hn::Div(Ends<D>(df, job, at).negative, scale);
  const auto exact = hn::IfThenElseZero(is_free, hn::Add(d_scale, hn::Mul(low_codes, outside)));
  const auto share = hn::Div(exact, hn::Set(df, job.levels));
  return {hn::Mul(hn::Sub(outside, share), hn::LoadU(df, job.min + at)),
          hn::Mul(share, hn::LoadU(df, job.max + at))};
}

HWY_INLINE void step_factors(const StepJob& job,
                             const Chunk& chunk,
                             const ScaleGradients& gradients) {
  const size_t groups = job.tuned.in.groups();
  for_each_vector(chunk.rows * groups, [&](auto df, size_t i) HWY_ATTR {
    const size_t at = chunk.first_row * groups + i;
    const auto by = factor_gradients(df, job.tuned, at, gradients, i);
    const auto rate = hn::Set(df, job.factor_rate);
    const auto stepped = [&](float* factor, auto gradient, float limit) HWY_ATTR {
      const auto v = hn::Sub(hn::LoadU(df, factor + at), signed_rate(df, gradient, rate));
      hn::StoreU(hn::Min(hn::Max(v, hn::Zero(df)), hn::Set(df, limit)), df, factor + at);
    };
    stepped(job.tuned.min_factor, by.min, 1);
    stepped(job.tuned.max_factor, by.max, job.factor_limit);
  });
}

template <class Weight, class Gradient>
HWY_INLINE void step_rows(const StepJob& job) {
  for_each_chunk(job.tuned, [&](const Chunk& chunk, const GroupNumbers& numbers) HWY_ATTR {
    const size_t groups = numbers.scale.size();
    ScaleGradients gradients = {numbers, std::vector<float>(groups), std::vector<float>(groups)};
    switch (job.tuned.codes) {
      case TunedCodes::Symmetric:
        step_elements<IntegerSlopes<false>, Weight, Gradient>(job, chunk, gradients);
        break;
      case TunedCodes::Asymmetric:
        step_elements<IntegerSlopes<true>, Weight, Gradient>(job, chunk, gradients);
        break;
      case TunedCodes::Mx:
        step_elements<MxSlopes, Weight, Gradient>(job, chunk, gradients);
        break;
    }
    step_factors(job, chunk, gradients);
  });
}

template <class Weight>
HWY_INLINE void step_weight(const StepJob& job) {
  job.storage == Storage::Float32 ? step_rows<Weight, Float32>(job)
                                  : step_rows<Weight, BFloat16>(job);
}

void step_all(const StepJob& job) {
  switch (job.tuned.in.storage) {
    case Storage::BFloat16:
      return step_weight<BFloat16>(job);
    case Storage::Float16:
      return step_weight<Float16>(job);
    case Storage::Float32:
      return step_weight<Float32>(job);
  }
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(step_all);

void sign_step(const TunedScheme& scheme,
               const TunedWeight& weight,
               const at::Tensor& gradient,
               float rate,
               float factor_rate) {
  HWY_DYNAMIC_DISPATCH(step_all)
  ({.tuned = tune_job(scheme, weight),
    .storage = storage_of(gradient),
    .gradient = gradient.const_data_ptr(),
    .rate = rate,
    .factor_rate = factor_rate,
    .factor_limit = static_cast<float>(scheme.factor_limit)});
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
