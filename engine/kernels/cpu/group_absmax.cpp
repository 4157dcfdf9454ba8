// Largest magnitude of each group. Without their sign bits, the numbers of every IEEE format are
// in the order of their bits taken as unsigned integers, NaN and infinity at the end: the maximum
// needs no conversion, and a group with NaN or infinity gives a value that is not finite.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/group_absmax.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/cpu/fold_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The maximum of `count` ≥ Lanes(d) numbers.
template <class D, class Bits = hn::TFromD<D>>
HWY_INLINE Bits absmax_of(D d, const Bits* HWY_RESTRICT bits, size_t count) {
  const size_t lanes = hn::Lanes(d);
  const auto magnitude = hn::Set(d, static_cast<Bits>(hwy::LimitsMax<Bits>() >> 1));
  const auto load = [&](size_t at) HWY_ATTR { return hn::And(hn::LoadU(d, bits + at), magnitude); };
  auto max0 = load(0), max1 = max0, max2 = max0, max3 = max0;
  size_t i = lanes;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    max0 = hn::Max(max0, load(i));
    max1 = hn::Max(max1, load(i + lanes));
    max2 = hn::Max(max2, load(i + 2 * lanes));
    max3 = hn::Max(max3, load(i + 3 * lanes));
  }
  for (; i + lanes <= count; i += lanes) {
    max0 = hn::Max(max0, load(i));
  }
  if (i < count) {
    max1 = hn::Max(max1, load(count - lanes));  // some numbers twice: a maximum does not mind
  }
  return max_of_lanes(d, hn::Max(hn::Max(max0, max1), hn::Max(max2, max3)));
}

template <class Bits>
HWY_INLINE void absmax_rows(const Groups& in, Bits* HWY_RESTRICT result) {
  const hn::ScalableTag<Bits> full;
  const hn::CappedTag<Bits, 16 / sizeof(Bits)> small;
  const Bits* weight = static_cast<const Bits*>(in.weight);
  for (size_t row = 0; row < in.rows; ++row, weight += in.columns) {
    for (size_t begin = 0; begin < in.columns; begin += in.group_size) {
      const size_t count = std::min(in.group_size, in.columns - begin);
      if (count >= hn::Lanes(full)) {
        *result++ = absmax_of(full, weight + begin, count);
      } else if (count >= hn::Lanes(small)) {
        *result++ = absmax_of(small, weight + begin, count);
      } else {
        *result++ = absmax_of(hn::CappedTag<Bits, 1>(), weight + begin, count);
      }
    }
  }
}

void absmax(const Groups& in, void* result) {
  if (in.storage == Storage::Float32) {
    absmax_rows(in, static_cast<uint32_t*>(result));
  } else {
    absmax_rows(in, static_cast<uint16_t*>(result));
  }
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(absmax);

at::Tensor group_absmax(const at::Tensor& weight, int64_t group_size) {
  const Groups in = groups_of(weight, group_size);
  const auto groups = static_cast<int64_t>(in.groups());
  const at::Tensor result = at::empty({weight.size(0), groups}, weight.options());
  HWY_DYNAMIC_DISPATCH(absmax)(in, result.mutable_data_ptr());
  return result;
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
