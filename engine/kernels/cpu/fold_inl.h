// The minimum and the maximum over the lanes of a vector. Included once per instruction set.
#if defined(ONESHOT_KERNELS_CPU_FOLD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ONESHOT_KERNELS_CPU_FOLD_INL_H
#undef ONESHOT_KERNELS_CPU_FOLD_INL_H
#else
#define ONESHOT_KERNELS_CPU_FOLD_INL_H
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The smallest of unsigned lanes. Halves first: Highway's own minimum of a long vector of 16-bit
// lanes goes through 32 bits and costs twice as much; for 8 lanes there is an instruction.
template <class D>
HWY_INLINE hn::TFromD<D> min_of_lanes(D d, hn::Vec<D> v) {
#if HWY_TARGET != HWY_SCALAR && !HWY_HAVE_SCALABLE
  if constexpr (hn::MaxLanes(d) * sizeof(hn::TFromD<D>) > 16) {
    const hn::Half<D> half;
    return min_of_lanes(half, hn::Min(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  } else  // NOLINT(readability-else-after-return): the branches have different types
#endif
  {
    return hn::GetLane(hn::MinOfLanes(d, v));
  }
}

// The largest, by the same instruction.
template <class D>
HWY_INLINE hn::TFromD<D> max_of_lanes(D d, hn::Vec<D> v) {
  return static_cast<hn::TFromD<D>>(~min_of_lanes(d, hn::Not(v)));
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONESHOT_KERNELS_CPU_FOLD_INL_H
