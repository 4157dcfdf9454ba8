// What a tuned weight becomes: the scales of some rows, then their elements in one pass.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/round_tuned.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/cpu/fp4_value_inl.h"
#include "engine/kernels/cpu/group_scales_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Neighbouring groups of one row, `size` numbers each.
template <class Weight, class Value>
struct RoundRun {
  const typename Weight::Bits* weight;
  const float* rounding;
  typename Value::Bits* values;
  uint8_t* codes;                      // or null
  const float *scale, *low, *inverse;  // one a group
  size_t groups, size;
};

template <class D>
struct RoundedNumber {
  hn::Vec<D> value;
  hn::Vec<hn::Rebind<uint32_t, D>> code;  // in the low byte
};

// The arithmetic of one group, its constants in registers.
template <class D>
struct IntegerGroup {
  hn::Vec<D> scale, low, high;
  hn::Vec<hn::Rebind<uint32_t, D>> shift;

  template <class Run>
  HWY_INLINE IntegerGroup(D df, const TuneJob& job, const Run& run, size_t group)
      : scale(hn::Set(df, run.scale[group])),
        low(hn::Set(df, run.low[group])),
        high(hn::Set(df, run.low[group] + job.levels)),
        // From a code around zero to the stored one: + zero point − 2^(bits−1).
        shift(hn::Set(hn::Rebind<uint32_t, D>(),
                      static_cast<uint32_t>(static_cast<int>(-run.low[group] - job.half)))) {}

  HWY_INLINE RoundedNumber<D> operator()(D df, hn::Vec<D> weight, hn::Vec<D> rounding) const {
    const hn::Rebind<uint32_t, D> du;
    const auto exact = hn::Add(hn::Div(weight, scale), rounding);
    const auto to_integer = hn::Set(df, kToInteger);
    const auto sum = hn::Add(hn::Min(hn::Max(exact, low), high), to_integer);
    return {hn::Mul(scale, hn::Sub(sum, to_integer)), hn::Add(hn::BitCast(du, sum), shift)};
  }
};

template <class D>
struct MxGroup {
  hn::Vec<D> scale, inverse;

  template <class Run>
  HWY_INLINE MxGroup(D df, const TuneJob& /*job*/, const Run& run, size_t group)
      : scale(hn::Set(df, run.scale[group])), inverse(hn::Set(df, run.inverse[group])) {}

  HWY_INLINE RoundedNumber<D> operator()(D df, hn::Vec<D> weight, hn::Vec<D> rounding) const {
    const auto fp4 = to_fp4(df, hn::Add(hn::Mul(weight, inverse), rounding));
    return {hn::Mul(fp4.value, scale), fp4.code};
  }
};

// Groups of at least Lanes(df) numbers.
template <template <class> class Group, class Weight, class Value, class D>
HWY_INLINE void round_groups(D df, const TuneJob& job, RoundRun<Weight, Value> run) {
  const hn::Rebind<uint8_t, D> du8;
  const size_t lanes = hn::Lanes(df);
  for (size_t group = 0; group < run.groups; ++group) {
    const Group<D> arithmetic(df, job, run, group);
    size_t i = 0;
    do {
      // The last vector of a group may meet some numbers twice, and makes the same of them.
      const size_t at = std::min(i, run.size - lanes);
      const RoundedNumber<D> number =
          arithmetic(df, Weight::load(df, run.weight + at), hn::LoadU(df, run.rounding + at));
      Value::store(df, number.value, run.values + at);
      if (run.codes) {
        hn::StoreU(hn::TruncateTo(du8, number.code), du8, run.codes + at);
      }
      i += lanes;
    } while (i < run.size);
    run.weight += run.size;
    run.rounding += run.size;
    run.values += run.size;
    run.codes += run.codes ? run.size : 0;
  }
}

template <template <class> class Group, class Weight, class Value>
HWY_INLINE void round_run(const TuneJob& job, const RoundRun<Weight, Value>& run) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 4> small;
  if (run.size >= hn::Lanes(full)) {
    round_groups<Group>(full, job, run);
  } else if (run.size >= hn::Lanes(small)) {
    round_groups<Group>(small, job, run);
  } else if (run.size > 0) {
    round_groups<Group>(hn::CappedTag<float, 1>(), job, run);
  }
}

template <template <class> class Group, class Weight, class Value>
HWY_INLINE void round_chunk(const RoundJob& job, const Chunk& chunk, const GroupNumbers& numbers) {
  const Groups& in = job.tuned.in;
  const size_t groups = in.groups(), full_groups = in.columns / in.group_size;
  for (size_t i = 0; i < chunk.rows; ++i) {
    const size_t at = (chunk.first_row + i) * in.columns;
    RoundRun<Weight, Value> run = {
        .weight = static_cast<const typename Weight::Bits*>(in.weight) + at,
        .rounding = job.tuned.rounding + at,
        .values = static_cast<typename Value::Bits*>(job.values) + at,
        .codes = job.codes ? job.codes + at : nullptr,
        .scale = &numbers.scale[i * groups],
        .low = &numbers.low[i * groups],
        .inverse = &numbers.inverse[i * groups],
        .groups = full_groups,
        .size = in.group_size};
    round_run<Group>(job.tuned, run);
    const size_t done = full_groups * in.group_size;  // the last group, where it is short
    run = {.weight = run.weight + done,
           .rounding = run.rounding + done,
           .values = run.values + done,
           .codes = job.codes ? run.codes + done : nullptr,
           .scale = run.scale + full_groups,
           .low = run.low + full_groups,
           .inverse = run.inverse + full_groups,
           .groups = 1,
           .size = in.columns - done};
    round_run<Group>(job.tuned, run);
  }
}

HWY_INLINE void store_scales(const RoundJob& job, const Chunk& chunk, const GroupNumbers& numbers) {
  const size_t first = chunk.first_row * job.tuned.in.groups();
  const bool mx = job.tuned.codes == TunedCodes::Mx;
  for_each_vector(chunk.rows * job.tuned.in.groups(), [&](auto df, size_t i) HWY_ATTR {
    using D = decltype(df);
    const hn::Rebind<uint32_t, D> du;
    const hn::Rebind<uint8_t, D> du8;
    const auto scale = hn::LoadU(df, &numbers.scale[i]);
    if (job.scale && mx) {  // the exponent's bits: 0 for 2^-127
      const auto byte = hn::TruncateTo(du8, hn::ShiftRight<23>(hn::BitCast(du, scale)));
      hn::StoreU(byte, du8, static_cast<uint8_t*>(job.scale) + first + i);
    } else if (job.scale) {
      store_float16(df, scale, static_cast<uint16_t*>(job.scale) + first + i);
    }
    if (job.zero_point) {
      const auto zero = hn::Sub(hn::Set(df, -job.tuned.half), hn::LoadU(df, &numbers.low[i]));
      const auto bits = hn::BitCast(du, hn::Add(zero, hn::Set(df, kToInteger)));
      hn::StoreU(hn::TruncateTo(du8, bits), du8, job.zero_point + first + i);
    }
  });
}

template <class Weight, class Value>
HWY_INLINE void round_rows(const RoundJob& job) {
  for_each_chunk(job.tuned, [&](const Chunk& chunk, const GroupNumbers& numbers) HWY_ATTR {
    store_scales(job, chunk, numbers);
    if (job.tuned.codes == TunedCodes::Mx) {
      round_chunk<MxGroup, Weight, Value>(job, chunk, numbers);
    } else {
      round_chunk<IntegerGroup, Weight, Value>(job, chunk, numbers);
    }
  });
}

template <class Weight>
HWY_INLINE void round_weight(const RoundJob& job) {
  job.storage == Storage::Float32 ? round_rows<Weight, Float32>(job)
                                  : round_rows<Weight, BFloat16>(job);
}

void round_all(const RoundJob& job) {
  switch (job.tuned.in.storage) {
    case Storage::BFloat16:
      return round_weight<BFloat16>(job);
    case Storage::Float16:
      return round_weight<Float16>(job);
    case Storage::Float32:
      return round_weight<Float32>(job);
  }
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(round_all);

TuneJob tune_job(const TunedScheme& scheme, const TunedWeight& weight) {
  return {.in = groups_of(weight.weight, scheme.group_size),
          .codes = scheme.codes,
          .half = static_cast<float>(1 << (scheme.bits - 1)),
          .levels = static_cast<float>((1 << scheme.bits) - 1),
          .min = weight.min.const_data_ptr<float>(),
          .max = weight.max.const_data_ptr<float>(),
          .start = weight.start.defined() ? weight.start.const_data_ptr<float>() : nullptr,
          .rounding = weight.rounding.mutable_data_ptr<float>(),
          .min_factor = weight.min_factor.mutable_data_ptr<float>(),
          .max_factor = weight.max_factor.mutable_data_ptr<float>()};
}

void round_tuned(const TunedScheme& scheme, const TunedWeight& weight, RoundedWeight& out) {
  const auto pointer = [](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.mutable_data_ptr() : nullptr;
  };
  HWY_DYNAMIC_DISPATCH(round_all)
  ({.tuned = tune_job(scheme, weight),
    .storage = storage_of(out.values),
    .values = out.values.mutable_data_ptr(),
    .codes = static_cast<uint8_t*>(pointer(out.codes)),
    .scale = pointer(out.scale),
    .zero_point = static_cast<uint8_t*>(pointer(out.zero_point))});
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
