// What a decoder computes between its products, each in one pass over its rows. Arithmetic is
// float32; where the model computes in bfloat16, each step that PyTorch would store is rounded.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/forward.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/cpu/float_rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class Number, class D>
HWY_INLINE void norm_row(D df, const NormJob& job, size_t row) {
  using Bits = typename Number::Bits;
  const size_t lanes = hn::Lanes(df);
  const auto* x = static_cast<const Bits*>(job.input) + row * job.columns;
  const auto* weight = static_cast<const Bits*>(job.weight);
  auto* result = static_cast<Bits*>(job.result) + row * job.columns;
  auto sum0 = hn::Zero(df), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  const auto add_square = [&](hn::Vec<D> sum, size_t at) HWY_ATTR {
    const auto v = Number::load(df, x + at);
    return hn::MulAdd(v, v, sum);
  };
  size_t i = 0;
  for (; i + 4 * lanes <= job.columns; i += 4 * lanes) {
    sum0 = add_square(sum0, i);
    sum1 = add_square(sum1, i + lanes);
    sum2 = add_square(sum2, i + 2 * lanes);
    sum3 = add_square(sum3, i + 3 * lanes);
  }
  for (; i < job.columns; i += lanes) {  // columns are a multiple of the lanes
    sum0 = add_square(sum0, i);
  }
  const auto sum = hn::SumOfLanes(df, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3)));
  const auto mean = hn::Div(sum, hn::Set(df, static_cast<float>(job.columns)));
  const auto root = hn::Sqrt(hn::Add(mean, hn::Set(df, job.epsilon)));
  const auto factor = hn::Div(hn::Set(df, 1.0f), root);
  for (i = 0; i < job.columns; i += lanes) {
    const auto normed = Number::round(df, hn::Mul(Number::load(df, x + i), factor));
    Number::store(df, hn::Mul(normed, Number::load(df, weight + i)), result + i);
  }
}

template <class Number, class D>
HWY_INLINE void gate_row(D df, const GateJob& job, size_t row) {
  using Bits = typename Number::Bits;
  const auto* gate = static_cast<const Bits*>(job.gate) + row * job.gate_stride;
  const auto* up = static_cast<const Bits*>(job.up) + row * job.up_stride;
  auto* result = static_cast<Bits*>(job.result) + row * job.columns;
  for (size_t i = 0; i < job.columns; i += hn::Lanes(df)) {
    const auto x = Number::load(df, gate + i);
    const auto silu = hn::Mul(x, sigmoid<Number>(df, x));
    Number::store(df, hn::Mul(Number::round(df, silu), Number::load(df, up + i)), result + i);
  }
}

template <class Number>
HWY_INLINE void norm_rows(const NormJob& job) {
  by_lanes(job.columns, [&](auto df) HWY_ATTR {
    for (size_t row = 0; row < job.rows; ++row) {
      norm_row<Number>(df, job, row);
    }
  });
}

template <class Number>
HWY_INLINE void gate_rows(const GateJob& job) {
  by_lanes(job.columns, [&](auto df) HWY_ATTR {
    for (size_t row = 0; row < job.rows; ++row) {
      gate_row<Number>(df, job, row);
    }
  });
}

void norm(const NormJob& job) {
  job.storage == Storage::Float32 ? norm_rows<Float32>(job) : norm_rows<BFloat16>(job);
}

void gate(const GateJob& job) {
  job.storage == Storage::Float32 ? gate_rows<Float32>(job) : gate_rows<BFloat16>(job);
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(norm);
HWY_EXPORT(gate);

at::Tensor rms_norm(const at::Tensor& input, const at::Tensor& weight, double epsilon) {
  const at::Tensor result = at::empty(input.sizes(), input.options());
  const auto columns = static_cast<size_t>(input.size(-1));
  HWY_DYNAMIC_DISPATCH(norm)
  ({.input = input.const_data_ptr(),
    .weight = weight.const_data_ptr(),
    .grad = nullptr,
    .result = result.mutable_data_ptr(),
    .storage = storage_of(input),
    .rows = static_cast<size_t>(input.numel()) / columns,
    .columns = columns,
    .epsilon = static_cast<float>(epsilon)});
  return result;
}

at::Tensor silu_multiply(const at::Tensor& gate, const at::Tensor& up) {
  const at::Tensor gate_rows = gate.reshape({-1, gate.size(-1)});
  const at::Tensor up_rows = up.reshape({-1, up.size(-1)});
  const at::Tensor result = at::empty(gate.sizes(), gate.options());
  HWY_DYNAMIC_DISPATCH(gate)
  ({.gate = gate_rows.const_data_ptr(),
    .up = up_rows.const_data_ptr(),
    .grad = nullptr,
    .result = result.mutable_data_ptr(),
    .up_result = nullptr,
    .storage = storage_of(gate),
    .rows = static_cast<size_t>(gate_rows.size(0)),
    .columns = static_cast<size_t>(gate_rows.size(1)),
    .gate_stride = static_cast<size_t>(gate_rows.stride(0)),
    .up_stride = static_cast<size_t>(up_rows.stride(0))});
  return result;
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
