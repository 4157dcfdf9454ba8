// What the encoders share: quotients in the dtype that PyTorch gives them, walked group by group.
// Included once per instruction set.
//
// A quotient is an IEEE float32 division, rounded once more to its own dtype; it stays in float32
// lanes all the way. Nothing here may be contracted into a fused multiply-add.
#if defined(ONESHOT_KERNELS_CPU_QUOTIENT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ONESHOT_KERNELS_CPU_QUOTIENT_INL_H
#undef ONESHOT_KERNELS_CPU_QUOTIENT_INL_H
#else
#define ONESHOT_KERNELS_CPU_QUOTIENT_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/cpu/float_rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Neighbouring groups of one row, `size` numbers each.
template <class Bits>
struct Run {
  const Bits* weight;
  uint8_t* codes;
  const float *scale, *zero_point;  // one a group
  size_t groups, size;
};

// Encodes groups of at least Lanes(df) numbers: `code` makes of each quotient a lane whose low byte
// is the code. The constants of a vector stay in registers from group to group: for that the inner
// loop runs at least once, and nothing here is a lambda (GCC 12 keeps what one captures in memory).
template <class Weight, class Quotient, class D, class Code>
HWY_INLINE void encode_groups(D df, const Code& code, const Run<typename Weight::Bits> run) {
  const hn::Rebind<uint8_t, D> du8;
  const size_t lanes = hn::Lanes(df);
  const auto* HWY_RESTRICT weight = run.weight;
  uint8_t* HWY_RESTRICT codes = run.codes;
  for (size_t group = 0; group < run.groups; ++group) {
    const auto scale = hn::Set(df, run.scale[group]);
    const float zero_point = run.zero_point[group];
    size_t i = 0;
    do {
      // The last vector of a group may meet some numbers twice, and gives them the same codes.
      const size_t at = std::min(i, run.size - lanes);
      const auto quotient = Quotient::round(df, hn::Div(Weight::load(df, weight + at), scale));
      const auto coded = code.template operator()<Quotient>(df, quotient, zero_point);
      hn::StoreU(hn::TruncateTo(du8, coded), du8, codes + at);
      i += lanes;
    } while (i < run.size);
    weight += run.size;
    codes += run.size;
  }
}

template <class Weight, class Quotient, class Code>
HWY_INLINE void encode_run(const Code& code, const Run<typename Weight::Bits>& run) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 4> small;
  if (run.size >= hn::Lanes(full)) {
    encode_groups<Weight, Quotient>(full, code, run);
  } else if (run.size >= hn::Lanes(small)) {
    encode_groups<Weight, Quotient>(small, code, run);
  } else if (run.size > 0) {
    encode_groups<Weight, Quotient>(hn::CappedTag<float, 1>(), code, run);
  }
}

// One row of scales as float32.
template <class Scale>
HWY_INLINE void load_scales(const EncodeJob& job, size_t row, std::vector<float>& result) {
  using Bits = typename Scale::Bits;
  const hn::ScalableTag<float> df;
  const size_t lanes = hn::Lanes(df), count = result.size();
  const Bits* scale = static_cast<const Bits*>(job.scale) + row * count;
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(Scale::load(df, scale + i), df, &result[i]);
  }
  const hn::CappedTag<float, 1> one;
  for (; i < count; ++i) {
    hn::StoreU(Scale::load(one, scale + i), one, &result[i]);
  }
}

template <class Weight, class Scale, class Code>
HWY_INLINE void encode_rows(const EncodeJob& job, const Code& code) {
  // As PyTorch promotes: two equal dtypes stay, any other pair is float32.
  using Quotient = std::conditional_t<std::is_same_v<Weight, Scale>, Weight, Float32>;
  const Groups& in = job.in;
  const auto* weight = static_cast<const typename Weight::Bits*>(in.weight);
  const size_t groups = in.groups(), full_groups = in.columns / in.group_size;
  std::vector<float> scales(groups), zero_points(groups);
  for (size_t row = 0; row < in.rows; ++row) {
    load_scales<Scale>(job, row, scales);
    if (job.zero_point) {
      std::copy_n(job.zero_point + row * groups, groups, zero_points.begin());
    }
    Run<typename Weight::Bits> run = {.weight = weight + row * in.columns,
                                      .codes = job.codes + row * in.columns,
                                      .scale = scales.data(),
                                      .zero_point = zero_points.data(),
                                      .groups = full_groups,
                                      .size = in.group_size};
    encode_run<Weight, Quotient>(code, run);
    const size_t done = full_groups * in.group_size;
    run = {.weight = run.weight + done,  // the last group, where it is short
           .codes = run.codes + done,
           .scale = run.scale + full_groups,
           .zero_point = run.zero_point + full_groups,
           .groups = 1,
           .size = in.columns - done};
    encode_run<Weight, Quotient>(code, run);
  }
}

template <class Weight, class Code>
HWY_INLINE void encode_weight(const EncodeJob& job, const Code& code) {
  switch (job.scale_storage) {
    case Storage::BFloat16:
      return encode_rows<Weight, BFloat16>(job, code);
    case Storage::Float16:
      return encode_rows<Weight, Float16>(job, code);
    case Storage::Float32:
      return encode_rows<Weight, Float32>(job, code);
  }
}

// Runs a whole job.
template <class Code>
HWY_INLINE void encode_all(const EncodeJob& job, const Code& code) {
  switch (job.in.storage) {
    case Storage::BFloat16:
      return encode_weight<BFloat16>(job, code);
    case Storage::Float16:
      return encode_weight<Float16>(job, code);
    case Storage::Float32:
      return encode_weight<Float32>(job, code);
  }
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONESHOT_KERNELS_CPU_QUOTIENT_INL_H
