// Sums whose order is the same on every instruction set: 16 of them, of the elements 0, 16, 32 …,
// of 1, 17, 33 … and so on. Included once per instruction set.
#if defined(ONESHOT_KERNELS_CPU_SIXTEEN_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ONESHOT_KERNELS_CPU_SIXTEEN_SUMS_INL_H
#undef ONESHOT_KERNELS_CPU_SIXTEEN_SUMS_INL_H
#else
#define ONESHOT_KERNELS_CPU_SIXTEEN_SUMS_INL_H
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kSums = 16;
using SumTag = hn::CappedTag<float, kSums>;

struct SixteenSums {
  alignas(64) float sums[kSums] = {};

  // Adds to those from `lane` on.
  HWY_INLINE void add(SumTag df, size_t lane, hn::Vec<SumTag> v) {
    hn::Store(hn::Add(hn::Load(df, sums + lane), v), df, sums + lane);
  }

  // All in one: the second half is added to the first, and so on.
  HWY_INLINE float total() const {
    float folded[kSums / 2];
    for (size_t i = 0; i < 8; ++i) {
      folded[i] = sums[i] + sums[i + 8];
    }
    for (size_t i = 0; i < 4; ++i) {
      folded[i] += folded[i + 4];
    }
    return (folded[0] + folded[2]) + (folded[1] + folded[3]);
  }
};

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONESHOT_KERNELS_CPU_SIXTEEN_SUMS_INL_H
