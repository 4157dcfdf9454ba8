// Codes of the small floating-point formats, float8_e4m3fn and FP4 (E2M1): one encoder for both.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/encode_float.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/cpu/quotient_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct E4M3 {
  static constexpr int kExponentBits = 4, kMantissaBits = 3;
  static constexpr float kLargest = 448, kSmallestNormal = 0x1p-6f;
};
struct E2M1 {
  static constexpr int kExponentBits = 2, kMantissaBits = 1;
  static constexpr float kLargest = 6, kSmallestNormal = 1;
};

// Sign, exponent, mantissa of `Format`, rounded to nearest, ties to the even code.
//
// A magnitude in [2^e, 2^(e+1)) lies k steps of 2^(e−M) above zero, M the bits of the mantissa;
// its code is k + (e − e₁) · 2^M, e₁ the exponent of the smallest normal number. With e₁ for e, the
// same holds below that. Adding a power of two whose own step is 2^(e−M) rounds the magnitude to k,
// which is then in the low bits of the sum.
template <class Format>
struct FloatCode {
  template <class Quotient, class D>
  HWY_INLINE hn::Vec<hn::Rebind<uint32_t, D>> operator()(D df, hn::Vec<D> v, float) const {
    constexpr int kMantissa = Format::kMantissaBits, kDropped = 23 - kMantissa;
    constexpr uint32_t kFirst = __builtin_bit_cast(uint32_t, Format::kSmallestNormal) >> 23;
    // Added to a power of two's bits: kDropped to its exponent, and what makes k a code to its
    // last bits. That is even, so that ties stay what they were. Bits above the byte do not count.
    constexpr uint32_t kToSum = (kDropped << 23) | (-(kFirst << kMantissa) & 0xFF);
    static_assert(kToSum % 2 == 0);
    const hn::Rebind<uint32_t, D> du;

    v = hn::Add(v, hn::Zero(df));  // −0 becomes +0
    const auto magnitude = hn::Min(hn::Abs(v), hn::Set(df, Format::kLargest));
    const auto normal = hn::Max(magnitude, hn::Set(df, Format::kSmallestNormal));
    const auto power = hn::And(hn::BitCast(du, normal), hn::Set(du, 0x7F800000));  // 2^e
    const auto addend = hn::BitCast(df, hn::Add(power, hn::Set(du, kToSum)));
    const auto steps = hn::BitCast(du, hn::Add(magnitude, addend));
    const auto code = hn::Add(steps, hn::ShiftRight<kDropped>(power));
    const auto sign = hn::And(hn::BitCast(du, v), hn::Set(du, 0x80000000));
    constexpr int kSign = Format::kExponentBits + kMantissa;
    return hn::Add(code, hn::ShiftRight<31 - kSign>(sign));
  }
};

void encode_e4m3(const EncodeJob& job) {
  encode_all(job, FloatCode<E4M3>());
}
void encode_e2m1(const EncodeJob& job) {
  encode_all(job, FloatCode<E2M1>());
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(encode_e4m3);
HWY_EXPORT(encode_e2m1);

at::Tensor encode_fp8(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size) {
  const at::Tensor codes = at::empty(weight.sizes(), weight.options().dtype(at::kFloat8_e4m3fn));
  HWY_DYNAMIC_DISPATCH(encode_e4m3)(encode_job(weight, scale, group_size, codes));
  return codes;
}

at::Tensor encode_fp4(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size) {
  const at::Tensor codes = at::empty(weight.sizes(), weight.options().dtype(at::kByte));
  HWY_DYNAMIC_DISPATCH(encode_e2m1)(encode_job(weight, scale, group_size, codes));
  return codes;
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
