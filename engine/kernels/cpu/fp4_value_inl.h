// FP4 (E2M1) values of float32 lanes. Included once per instruction set.
#if defined(ONESHOT_KERNELS_CPU_FP4_VALUE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ONESHOT_KERNELS_CPU_FP4_VALUE_INL_H
#undef ONESHOT_KERNELS_CPU_FP4_VALUE_INL_H
#else
#define ONESHOT_KERNELS_CPU_FP4_VALUE_INL_H
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
struct Fp4 {
  hn::Vec<D> value;
  hn::Vec<hn::Rebind<uint32_t, D>> code;
};

// The nearest value of up to ±6, ties to the even code; a negative that becomes zero keeps its
// sign, a zero has none.
//
// Above 2^e, e the exponent of a magnitude and at least 0, the step is 2^(e−1). That is the step of
// float32 at 2^(e+22): adding this power leaves the number of steps, k, in the low bits, and the
// code is k + 2e.
template <class D>
HWY_INLINE Fp4<D> to_fp4(D df, hn::Vec<D> v) {
  const hn::Rebind<uint32_t, D> du;
  const auto positive_zero = hn::Add(v, hn::Zero(df));
  const auto magnitude = hn::Min(hn::Abs(positive_zero), hn::Set(df, 6.0F));
  const auto normal = hn::Max(magnitude, hn::Set(df, 1.0F));
  const auto power = hn::And(hn::BitCast(du, normal), hn::Set(du, 0x7F800000));
  const auto addend = hn::BitCast(df, hn::Add(power, hn::Set(du, 22 << 23)));
  const auto sum = hn::Add(magnitude, addend);
  const auto sign = hn::And(hn::BitCast(du, positive_zero), hn::Set(du, 0x80000000));
  const auto twice_e = hn::Sub(hn::ShiftRight<22>(power), hn::Set(du, 2 * 127));
  const auto code = hn::Add(hn::BitCast(du, sum), twice_e);
  return {hn::Or(hn::Sub(sum, addend), hn::BitCast(df, sign)),
          hn::Or(hn::And(code, hn::Set(du, 7)), hn::ShiftRight<28>(sign))};
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONESHOT_KERNELS_CPU_FP4_VALUE_INL_H
