// Integer codes of 2 to 8 bits: round(weight ÷ scale + zero_point), clamped.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/encode_int.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/cpu/quotient_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <bool kAsymmetric>
struct IntegerCode {
  float lowest, highest;

  template <class Quotient, class D>
  HWY_INLINE hn::Vec<hn::Rebind<uint32_t, D>> operator()(D df,
                                                         hn::Vec<D> v,
                                                         float zero_point) const {
    if constexpr (kAsymmetric) {
      v = Quotient::round(df, hn::Add(v, hn::Set(df, zero_point)));
    }
    const auto clamped = hn::Min(hn::Max(v, hn::Set(df, lowest)), hn::Set(df, highest));
    // The step of float32 at 1.5 · 2^23 is 1: the sum is rounded to an integer, ties to even, and
    // its low bits are that integer. (Highway's NearestInt errs below one half without SIMD.)
    return hn::BitCast(hn::Rebind<uint32_t, D>(), hn::Add(clamped, hn::Set(df, 0x1.8p23f)));
  }
};

void encode_integers(const EncodeJob& job, int bits) {
  const auto half = static_cast<float>(1 << (bits - 1));
  if (job.zero_point) {
    encode_all(job, IntegerCode<true>{.lowest = -half, .highest = half - 1});
  } else {
    encode_all(job, IntegerCode<false>{.lowest = -half, .highest = half - 1});
  }
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(encode_integers);

at::Tensor encode_int(const at::Tensor& weight,
                      const at::Tensor& scale,
                      const at::Tensor& zero_point,
                      int64_t group_size,
                      int bits) {
  const at::Tensor codes = at::empty(weight.sizes(), weight.options().dtype(at::kChar));
  EncodeJob job = encode_job(weight, scale, group_size, codes);
  if (zero_point.defined()) {
    job.zero_point = zero_point.const_data_ptr<int8_t>();
  }
  HWY_DYNAMIC_DISPATCH(encode_integers)(job, bits);
  return codes;
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
