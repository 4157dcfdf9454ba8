// The ways back through the norm and the gate, each in one pass over its rows. Arithmetic is
// float32; the gradients are rounded once, to the model's dtype.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/backward.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/cpu/float_rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// With d = grad · weight and f = 1 ÷ √(mean of x² + epsilon): f · d − x · f³ · mean of d · x.
template <class Number, class D>
HWY_INLINE void norm_back_row(D df, const NormJob& job, size_t row) {
  using Bits = typename Number::Bits;
  const size_t lanes = hn::Lanes(df);
  const auto* x = static_cast<const Bits*>(job.input) + row * job.columns;
  const auto* weight = static_cast<const Bits*>(job.weight);
  const auto* grad = static_cast<const Bits*>(job.grad) + row * job.columns;
  auto* result = static_cast<Bits*>(job.result) + row * job.columns;
  auto squares = hn::Zero(df), odd_squares = squares, products = squares, odd_products = squares;
  const auto scaled = [&](size_t at) HWY_ATTR {
    return hn::Mul(Number::load(df, grad + at), Number::load(df, weight + at));
  };
  const auto add = [&](hn::Vec<D>& square, hn::Vec<D>& product, size_t at) HWY_ATTR {
    const auto v = Number::load(df, x + at);
    square = hn::MulAdd(v, v, square);
    product = hn::MulAdd(v, scaled(at), product);
  };
  size_t i = 0;
  for (; i + 2 * lanes <= job.columns; i += 2 * lanes) {
    add(squares, products, i);
    add(odd_squares, odd_products, i + lanes);
  }
  if (i < job.columns) {  // columns are a multiple of the lanes
    add(squares, products, i);
  }
  const auto columns = hn::Set(df, static_cast<float>(job.columns));
  const auto mean = hn::Div(hn::SumOfLanes(df, hn::Add(squares, odd_squares)), columns);
  const auto inner = hn::Div(hn::SumOfLanes(df, hn::Add(products, odd_products)), columns);
  const auto square_sum = hn::Add(mean, hn::Set(df, job.epsilon));
  const auto factor = hn::Div(hn::Set(df, 1.0f), hn::Sqrt(square_sum));
  const auto share = hn::Div(inner, square_sum);
  for (i = 0; i < job.columns; i += lanes) {
    const auto rest = hn::NegMulAdd(Number::load(df, x + i), share, scaled(i));
    Number::store(df, hn::Mul(factor, rest), result + i);
  }
}

// With s the sigmoid of g: grad · up · s · (1 + g · (1 − s)) for g, grad · g · s for up.
template <class Number, class D>
HWY_INLINE void gate_back_row(D df, const GateJob& job, size_t row) {
  using Bits = typename Number::Bits;
  const auto* gate = static_cast<const Bits*>(job.gate) + row * job.gate_stride;
  const auto* up = static_cast<const Bits*>(job.up) + row * job.up_stride;
  const auto* grad = static_cast<const Bits*>(job.grad) + row * job.columns;
  auto* gate_result = static_cast<Bits*>(job.result) + row * job.columns;
  auto* up_result = static_cast<Bits*>(job.up_result) + row * job.columns;
  for (size_t i = 0; i < job.columns; i += hn::Lanes(df)) {
    const auto g = Number::load(df, gate + i);
    const auto given = Number::load(df, grad + i);
    const auto s = sigmoid<Number>(df, g);
    const auto silu = hn::Mul(g, s);
    const auto slope = hn::MulAdd(silu, hn::Sub(hn::Set(df, 1.0f), s), s);
    const auto to_gate = hn::Mul(hn::Mul(given, Number::load(df, up + i)), slope);
    Number::store(df, to_gate, gate_result + i);
    Number::store(df, hn::Mul(given, silu), up_result + i);
  }
}

template <class Number>
HWY_INLINE void norm_back_rows(const NormJob& job) {
  by_lanes(job.columns, [&](auto df) HWY_ATTR {
    for (size_t row = 0; row < job.rows; ++row) {
      norm_back_row<Number>(df, job, row);
    }
  });
}

template <class Number>
HWY_INLINE void gate_back_rows(const GateJob& job) {
  by_lanes(job.columns, [&](auto df) HWY_ATTR {
    for (size_t row = 0; row < job.rows; ++row) {
      gate_back_row<Number>(df, job, row);
    }
  });
}

void norm_back(const NormJob& job) {
  job.storage == Storage::Float32 ? norm_back_rows<Float32>(job) : norm_back_rows<BFloat16>(job);
}

void gate_back(const GateJob& job) {
  job.storage == Storage::Float32 ? gate_back_rows<Float32>(job) : gate_back_rows<BFloat16>(job);
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(norm_back);
HWY_EXPORT(gate_back);

at::Tensor rms_norm_backward(const at::Tensor& grad,
                             const at::Tensor& input,
                             const at::Tensor& weight,
                             double epsilon) {
  at::Tensor result = at::empty(input.sizes(), input.options());
  const auto columns = static_cast<size_t>(input.size(-1));
  HWY_DYNAMIC_DISPATCH(norm_back)
  ({.input = input.const_data_ptr(),
    .weight = weight.const_data_ptr(),
    .grad = grad.const_data_ptr(),
    .result = result.mutable_data_ptr(),
    .storage = storage_of(input),
    .rows = static_cast<size_t>(input.numel()) / columns,
    .columns = columns,
    .epsilon = static_cast<float>(epsilon)});
  return result;
}

GateGradients silu_multiply_backward(const at::Tensor& grad,
                                     const at::Tensor& gate,
                                     const at::Tensor& up) {
  const at::Tensor gate_rows = gate.reshape({-1, gate.size(-1)});
  const at::Tensor up_rows = up.reshape({-1, up.size(-1)});
  GateGradients result{at::empty(gate.sizes(), gate.options()),
                       at::empty(up.sizes(), up.options())};
  HWY_DYNAMIC_DISPATCH(gate_back)
  ({.gate = gate_rows.const_data_ptr(),
    .up = up_rows.const_data_ptr(),
    .grad = grad.const_data_ptr(),
    .result = result.gate.mutable_data_ptr(),
    .up_result = result.up.mutable_data_ptr(),
    .storage = storage_of(gate),
    .rows = static_cast<size_t>(gate_rows.size(0)),
    .columns = static_cast<size_t>(gate_rows.size(1)),
    .gate_stride = static_cast<size_t>(gate_rows.stride(0)),
    .up_stride = static_cast<size_t>(up_rows.stride(0))});
  return result;
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
