// The scales of a tuned weight: what the groups' ranges and factors make of them, many groups at a
// time. Included once per instruction set. Nothing here may be contracted into a fused
// multiply-add.
#if defined(ONESHOT_KERNELS_CPU_GROUP_SCALES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ONESHOT_KERNELS_CPU_GROUP_SCALES_INL_H
#undef ONESHOT_KERNELS_CPU_GROUP_SCALES_INL_H
#else
#define ONESHOT_KERNELS_CPU_GROUP_SCALES_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/kernels/cpu/float_rows_inl.h"
#include "engine/kernels/cpu/tuning_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float kThreshold = 168 * 0x1p-24F;  // 1e-5 in float16
// The step of float32 here is 1: adding it rounds to an integer, ties to even, which is then in the
// low bits; subtracting it again leaves that integer, and no −0.
constexpr float kToInteger = 0x1.8p23F;

template <class D>
HWY_INLINE hn::Vec<D> rounded(D df, hn::Vec<D> small) {
  const auto to_integer = hn::Set(df, kToInteger);
  return hn::Sub(hn::Add(small, to_integer), to_integer);
}

// Calls `body` with a tag and an index until `count` numbers are done: whole vectors, then one by
// one.
template <class Body>
HWY_INLINE void for_each_vector(size_t count, const Body& body) {
  const hn::ScalableTag<float> full;
  const size_t lanes = hn::Lanes(full);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    body(full, i);
  }
  for (; i < count; ++i) {
    body(hn::CappedTag<float, 1>(), i);
  }
}

// A number rounded to float16; beyond its range infinite.
template <class D>
HWY_INLINE hn::Vec<D> to_float16(D df, hn::Vec<D> v) {
  const auto half = Float16::round(df, v);
  const auto infinity = hn::CopySignToAbs(hn::Set(df, HUGE_VALF), half);
  return hn::IfThenElse(hn::Gt(hn::Abs(half), hn::Set(df, 65504.0F)), infinity, half);
}

// Stores numbers that are already rounded to float16.
template <class D>
HWY_INLINE void store_float16(D df, hn::Vec<D> v, uint16_t* HWY_RESTRICT p) {
  const hn::Rebind<uint32_t, D> du;
  const hn::Rebind<uint16_t, D> du16;
  const auto magnitude = hn::Abs(v);
  const auto rebased =
      hn::Sub(hn::ShiftRight<13>(hn::BitCast(du, magnitude)), hn::Set(du, (127 - 15) << 10));
  const auto normal = hn::Min(rebased, hn::Set(du, 0x7C00));
  // Below 2^-14 the step is 2^-24, that of float32 from 0.5 on.
  const auto half = hn::Set(df, 0.5F);
  const auto steps = hn::Sub(hn::BitCast(du, hn::Add(magnitude, half)), hn::BitCast(du, half));
  const auto is_normal = hn::Ge(magnitude, hn::Set(df, 0x1p-14F));
  const auto bits = hn::IfThenElse(hn::RebindMask(du, is_normal), normal, steps);
  const auto sign = hn::ShiftLeft<15>(hn::ShiftRight<31>(hn::BitCast(du, v)));
  hn::StoreU(hn::TruncateTo(du16, hn::Or(bits, sign)), du16, p);
}

// A scale that is rounded to float16, not nearer to zero than the threshold; −0 is positive.
template <class D>
HWY_INLINE hn::Vec<D> above_threshold(D df, hn::Vec<D> scale) {
  const auto threshold = hn::Set(df, kThreshold);
  return hn::IfThenElse(
      hn::Lt(scale, hn::Zero(df)), hn::Min(scale, hn::Neg(threshold)), hn::Max(scale, threshold));
}

// The magnitudes of both ends of the range.
template <class D>
struct Ends {
  hn::Vec<D> negative, positive;

  HWY_INLINE Ends(D df, const TuneJob& job, size_t at)
      : negative(hn::Neg(hn::Mul(hn::LoadU(df, job.min + at), hn::LoadU(df, job.min_factor + at)))),
        positive(hn::Mul(hn::LoadU(df, job.max + at), hn::LoadU(df, job.max_factor + at))) {}
};

// The scale before it is rounded, and its lowest code, −zero point.
template <class D>
HWY_INLINE hn::Vec<D> exact_scale(D df, const TuneJob& job, size_t at) {
  if (job.start) {
    return hn::Mul(hn::LoadU(df, job.start + at), hn::LoadU(df, job.max_factor + at));
  }
  const Ends<D> ends(df, job, at);
  if (job.codes == TunedCodes::Asymmetric) {
    return hn::Div(hn::Add(ends.positive, ends.negative), hn::Set(df, job.levels));
  }
  const auto largest = hn::Max(ends.negative, ends.positive);
  const auto is_negative = hn::Lt(ends.positive, ends.negative);
  return hn::Div(hn::IfThenElse(is_negative, largest, hn::Neg(largest)), hn::Set(df, job.half));
}

template <class D>
HWY_INLINE hn::Vec<D> lowest_code(D df, const TuneJob& job, hn::Vec<D> scale, size_t at) {
  if (job.codes == TunedCodes::Symmetric) {
    return hn::Set(df, -job.half);
  }
  const auto exact = hn::Div(Ends<D>(df, job, at).negative, scale);
  return hn::Sub(hn::Zero(df), rounded(df, hn::Min(exact, hn::Set(df, job.levels))));
}

// What the elements of a chunk's groups need, one number a group.
struct GroupNumbers {
  std::vector<float> scale;
  std::vector<float> low;      // integers: the lowest code, −zero point
  std::vector<float> inverse;  // Mx: 1 ÷ scale
  std::vector<float> free;     // 1, or 0 where no gradient passes through the scale

  explicit GroupNumbers(size_t count) : scale(count), low(count), inverse(count), free(count) {}
};

HWY_INLINE void integer_scales(const TuneJob& job, size_t first, size_t count, GroupNumbers& to) {
  for_each_vector(count, [&](auto df, size_t i) HWY_ATTR {
    const auto half = to_float16(df, exact_scale(df, job, first + i));
    const auto scale = above_threshold(df, half);
    const auto fixed = hn::Lt(hn::Abs(half), hn::Set(df, kThreshold));
    hn::StoreU(scale, df, &to.scale[i]);
    hn::StoreU(lowest_code(df, job, scale, first + i), df, &to.low[i]);
    hn::StoreU(hn::IfThenZeroElse(fixed, hn::Set(df, 1.0F)), df, &to.free[i]);
  });
}

// Scales that are powers of two: the exponent of the largest magnitude less the 2 of FP4's.
HWY_INLINE void mx_scales(const TuneJob& job, size_t first, size_t count, GroupNumbers& to) {
  for_each_vector(count, [&](auto df, size_t i) HWY_ATTR {
    const hn::Rebind<int32_t, decltype(df)> di;
    const size_t at = first + i;
    auto factor = hn::LoadU(df, job.max_factor + at);
    if (job.start) {
      factor = hn::Mul(hn::LoadU(df, job.start + at), factor);
    }
    const auto range = hn::Max(hn::Neg(hn::LoadU(df, job.min + at)), hn::LoadU(df, job.max + at));
    const auto largest = hn::Mul(range, factor);
    const auto is_zero = hn::Eq(largest, hn::Zero(df));
    // The biased exponent of the scale; 0 stands for 2^-127.
    const auto exact = hn::Sub(hn::ShiftRight<23>(hn::BitCast(di, largest)), hn::Set(di, 2));
    const auto biased =
        hn::IfThenElse(hn::RebindMask(di, is_zero), hn::Set(di, 126), hn::Max(exact, hn::Zero(di)));
    const auto normal = hn::Max(biased, hn::Set(di, 1));
    const auto power = hn::BitCast(df, hn::ShiftLeft<23>(normal));
    const auto scale = hn::IfThenElse(
        hn::RebindMask(df, hn::Eq(biased, normal)), power, hn::Mul(power, hn::Set(df, 0.5F)));
    const auto below = hn::RebindMask(df, hn::Lt(exact, hn::Zero(di)));
    hn::StoreU(scale, df, &to.scale[i]);
    hn::StoreU(hn::Div(hn::Set(df, 1.0F), scale), df, &to.inverse[i]);
    hn::StoreU(hn::IfThenZeroElse(hn::Or(is_zero, below), hn::Set(df, 1.0F)), df, &to.free[i]);
  });
}

// Rows of a job whose groups' numbers fit the cache.
struct Chunk {
  size_t first_row, rows;
};

// Calls `body` for all rows of a job, with their scales.
template <class Body>
HWY_INLINE void for_each_chunk(const TuneJob& job, const Body& body) {
  constexpr size_t kGroupsAtOnce = 1024;
  const size_t groups = job.in.groups();
  const size_t rows_at_once = std::max<size_t>(1, kGroupsAtOnce / groups);
  GroupNumbers numbers(std::min(rows_at_once, job.in.rows) * groups);
  for (size_t row = 0; row < job.in.rows; row += rows_at_once) {
    const Chunk chunk = {row, std::min(rows_at_once, job.in.rows - row)};
    if (job.codes == TunedCodes::Mx) {
      mx_scales(job, row * groups, chunk.rows * groups, numbers);
    } else {
      integer_scales(job, row * groups, chunk.rows * groups, numbers);
    }
    body(chunk, numbers);
  }
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONESHOT_KERNELS_CPU_GROUP_SCALES_INL_H
