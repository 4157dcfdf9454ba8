// Numbers of a model in float32 lanes: how they are loaded, rounded and stored. Included once per
// instruction set.
#if defined(ONESHOT_KERNELS_CPU_FLOAT_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ONESHOT_KERNELS_CPU_FLOAT_ROWS_INL_H
#undef ONESHOT_KERNELS_CPU_FLOAT_ROWS_INL_H
#else
#define ONESHOT_KERNELS_CPU_FLOAT_ROWS_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The dtypes: how a number is stored, how a vector of them becomes float32, and how a float32 is
// rounded to what the dtype can hold (finite numbers, to nearest, ties to even).

struct BFloat16 {
  using Bits = uint16_t;

  template <class D>
  static HWY_INLINE hn::Vec<D> load(D df, const Bits* HWY_RESTRICT p) {
    const hn::Rebind<uint32_t, D> du;
    const hn::Rebind<uint16_t, D> du16;
    return hn::BitCast(df, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(du16, p))));
  }

  template <class D>
  static HWY_INLINE hn::Vec<D> round(D df, hn::Vec<D> v) {
    const hn::Rebind<uint32_t, D> du;
    const auto bits = hn::BitCast(du, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    const auto sum = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF)));
    return hn::BitCast(df, hn::And(sum, hn::Set(du, 0xFFFF0000)));
  }

  // Rounds; a NaN stays one.
  template <class D>
  static HWY_INLINE void store(D df, hn::Vec<D> v, Bits* HWY_RESTRICT p) {
    const hn::Rebind<uint32_t, D> du;
    const hn::Rebind<uint16_t, D> du16;
    const auto whole = hn::IfThenElse(hn::IsNaN(v), v, round(df, v));
    hn::StoreU(hn::TruncateTo(du16, hn::ShiftRight<16>(hn::BitCast(du, whole))), du16, p);
  }
};

struct Float16 {
  using Bits = uint16_t;

  template <class D>
  static HWY_INLINE hn::Vec<D> load(D df, const Bits* HWY_RESTRICT p) {
    const hn::Rebind<uint16_t, D> du16;
    const hn::Rebind<hwy::float16_t, D> df16;
    return hn::PromoteTo(df, hn::BitCast(df16, hn::LoadU(du16, p)));
  }

  // In integers, because Highway's DemoteTo(float16_t) truncates where the processor has no F16C.
  // What rounds to above 65504 becomes 65536 or more, not infinity: the encoders clamp it.
  template <class D>
  static HWY_INLINE hn::Vec<D> round(D df, hn::Vec<D> v) {
    const hn::Rebind<uint32_t, D> du;
    const auto magnitude = hn::Abs(v);
    const auto bits = hn::BitCast(du, magnitude);
    const auto odd = hn::And(hn::ShiftRight<13>(bits), hn::Set(du, 1));
    const auto sum = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x0FFF)));
    const auto normal = hn::BitCast(df, hn::And(sum, hn::Set(du, 0xFFFFE000)));
    // Below 2^-14 the step of float16 is 2^-24: the step of float32 from 0.5 to 1.
    const auto half = hn::Set(df, 0.5f);
    const auto subnormal = hn::Sub(hn::Add(magnitude, half), half);
    const auto is_normal = hn::Ge(magnitude, hn::Set(df, 0x1p-14f));
    return hn::CopySignToAbs(hn::IfThenElse(is_normal, normal, subnormal), v);
  }
};

struct Float32 {
  using Bits = float;

  template <class D>
  static HWY_INLINE hn::Vec<D> load(D df, const Bits* HWY_RESTRICT p) {
    return hn::LoadU(df, p);
  }

  template <class D>
  static HWY_INLINE hn::Vec<D> round(D /*df*/, hn::Vec<D> v) {
    return v;
  }

  template <class D>
  static HWY_INLINE void store(D df, hn::Vec<D> v, Bits* HWY_RESTRICT p) {
    hn::StoreU(v, df, p);
  }
};

constexpr float kLog2E = 1.44269504f;

// 2^x for x ≤ 126, within 2^-18 of it: far below a step of bfloat16. Below 2^-126 that, which no
// sum of probabilities sees. The polynomial is 2^f for |f| ≤ 1/2 with the least relative error.
template <class D>
HWY_INLINE hn::Vec<D> power_of_two(D df, hn::Vec<D> x) {
  const hn::Rebind<int32_t, D> di;
  const auto to_whole = hn::Set(df, 0x1.8p23f);  // adding it rounds to a whole number
  const auto above = hn::Max(hn::Set(df, -126.0f), x);
  const auto sum = hn::Add(above, to_whole);
  const auto f = hn::Sub(above, hn::Sub(sum, to_whole));
  auto result = hn::Set(df, 0.00957005112f);
  result = hn::MulAdd(result, f, hn::Set(df, 0.0559178624f));
  result = hn::MulAdd(result, f, hn::Set(df, 0.240247458f));
  result = hn::MulAdd(result, f, hn::Set(df, 0.693121815f));
  result = hn::MulAdd(result, f, hn::Set(df, 0.999999261f));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(di, sum));
  return hn::BitCast(df, hn::Add(hn::BitCast(di, result), exponent));
}

// 1 ÷ (1 + exp(−x)), as exact as the dtype needs it.
template <class Number, class D>
HWY_INLINE hn::Vec<D> sigmoid(D df, hn::Vec<D> x) {
  const auto one = hn::Set(df, 1.0f);
  if constexpr (std::is_same_v<Number, BFloat16>) {
    const auto power = hn::Min(hn::Mul(x, hn::Set(df, -kLog2E)), hn::Set(df, 126.0f));
    const auto below = hn::Add(one, power_of_two(df, power));
    const auto guess = hn::ApproximateReciprocal(below);  // 8 bits or more; the step doubles them
    return hn::Mul(guess, hn::NegMulAdd(below, guess, hn::Set(df, 2.0f)));
  } else {
    const auto most = hn::Set(df, 88.0f);  // beyond it the exponential is not defined
    return hn::Div(one, hn::Add(one, hn::Exp(df, hn::Min(hn::Neg(x), most))));
  }
}

// Columns that do not divide by a whole vector go by smaller ones.
template <class Row>
HWY_INLINE void by_lanes(size_t columns, const Row& row) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 8> eight;
  if (columns % hn::Lanes(full) == 0) {
    row(full);
  } else if (columns % hn::Lanes(eight) == 0) {
    row(eight);
  } else {
    row(hn::CappedTag<float, 1>());
  }
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONESHOT_KERNELS_CPU_FLOAT_ROWS_INL_H
