// Smallest and largest value of each group. The bits of a number become a key: unsigned integers
// in the order of the numbers (negatives inverted, positives with the sign bit set), NaN and
// infinity at the ends. So the keys of both ends tell whether the whole group is finite.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/group_range.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/cpu/fold_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class Bits>
constexpr Bits kSignOf = Bits{1} << (8 * sizeof(Bits) - 1);

template <class Bits>
struct Ends {
  Bits min, max;
};

// The smallest and the largest key of `count` ≥ Lanes(d) numbers.
template <class D, class Bits = hn::TFromD<D>>
HWY_INLINE Ends<Bits> keys_of(D d, const Bits* HWY_RESTRICT bits, size_t count) {
  const hn::RebindToSigned<D> di;
  const size_t lanes = hn::Lanes(d);
  const auto sign = hn::Set(d, kSignOf<Bits>);
  const auto load = [&](size_t at) HWY_ATTR {
    const auto v = hn::LoadU(d, bits + at);
    const auto negative = hn::BitCast(d, hn::BroadcastSignBit(hn::BitCast(di, v)));
    return hn::Xor(v, hn::Or(negative, sign));
  };
  auto min0 = load(0), min1 = min0, max0 = min0, max1 = min0;
  size_t i = lanes;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const auto a = load(i), b = load(i + lanes);
    min0 = hn::Min(min0, a);
    max0 = hn::Max(max0, a);
    min1 = hn::Min(min1, b);
    max1 = hn::Max(max1, b);
  }
  for (; i < count; i += lanes) {
    const auto a = load(std::min(i, count - lanes));  // the last ones overlap: ends do not mind
    min0 = hn::Min(min0, a);
    max0 = hn::Max(max0, a);
  }
  return {min_of_lanes(d, hn::Min(min0, min1)), max_of_lanes(d, hn::Max(max0, max1))};
}

// Back to the bits of a number; a zero is +0.
template <class Bits>
HWY_INLINE Bits number_of(Bits key) {
  constexpr Bits kSign = kSignOf<Bits>;
  const auto bits = static_cast<Bits>(key & kSign ? key ^ kSign : ~key);
  return bits == kSign ? Bits{0} : bits;
}

template <class Bits>
HWY_INLINE Ends<Bits> range_of(const Bits* HWY_RESTRICT bits, size_t count, Bits infinity) {
  const hn::ScalableTag<Bits> full;
  const hn::CappedTag<Bits, 16 / sizeof(Bits)> small;
  const Ends<Bits> keys = count >= hn::Lanes(full) ? keys_of(full, bits, count)
                          : count >= hn::Lanes(small)
                              ? keys_of(small, bits, count)
                              : keys_of(hn::CappedTag<Bits, 1>(), bits, count);
  constexpr Bits kSign = kSignOf<Bits>;
  const auto plus_infinity = static_cast<Bits>(infinity | kSign);
  const auto minus_infinity = static_cast<Bits>(~plus_infinity);
  if (keys.max >= plus_infinity || keys.min <= minus_infinity) {
    const auto nan = static_cast<Bits>(infinity | (infinity >> 1));  // the quiet one
    return {nan, nan};
  }
  return {number_of(keys.min), number_of(keys.max)};
}

template <class Bits>
HWY_INLINE void range_rows(const Groups& in, Bits infinity, void* min, void* max) {
  const Bits* weight = static_cast<const Bits*>(in.weight);
  size_t group = 0;
  for (size_t row = 0; row < in.rows; ++row, weight += in.columns) {
    for (size_t begin = 0; begin < in.columns; begin += in.group_size, ++group) {
      const size_t count = std::min(in.group_size, in.columns - begin);
      const Ends<Bits> ends = range_of(weight + begin, count, infinity);
      static_cast<Bits*>(min)[group] = ends.min;
      static_cast<Bits*>(max)[group] = ends.max;
    }
  }
}

void range(const Groups& in, void* min, void* max) {
  switch (in.storage) {
    case Storage::BFloat16:
      return range_rows<uint16_t>(in, 0x7F80, min, max);
    case Storage::Float16:
      return range_rows<uint16_t>(in, 0x7C00, min, max);
    case Storage::Float32:
      return range_rows<uint32_t>(in, 0x7F800000, min, max);
  }
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(range);

GroupRange group_range(const at::Tensor& weight, int64_t group_size) {
  const Groups in = groups_of(weight, group_size);
  const auto groups = static_cast<int64_t>(in.groups());
  const GroupRange result = {at::empty({weight.size(0), groups}, weight.options()),
                             at::empty({weight.size(0), groups}, weight.options())};
  HWY_DYNAMIC_DISPATCH(range)(in, result.min.mutable_data_ptr(), result.max.mutable_data_ptr());
  return result;
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
