// Weighted squared errors and their gradient, in one pass over the rows.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/squared_errors.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/cpu/float_rows_inl.h"

#ifndef ONESHOT_KERNELS_CPU_SQUARED_ERRORS_ONCE
#define ONESHOT_KERNELS_CPU_SQUARED_ERRORS_ONCE
namespace oneshot::kernels::cpu {

struct ErrorJob {
  const void *output, *target;  // [rows, columns]
  const float* weights;         // [rows], or null: all 1
  void* gradient;               // as the output
  Storage storage;
  size_t rows, columns;
  float slope;  // gradient ÷ (weight² · error)
};

}  // namespace oneshot::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The sum of a row's squares: short enough for float32.
template <class Number, class D>
HWY_INLINE float error_row(D df, const ErrorJob& job, size_t row) {
  using Bits = typename Number::Bits;
  const auto* output = static_cast<const Bits*>(job.output) + row * job.columns;
  const auto* target = static_cast<const Bits*>(job.target) + row * job.columns;
  auto* gradient = static_cast<Bits*>(job.gradient) + row * job.columns;
  const float number = job.weights != nullptr ? job.weights[row] : 1.0F;
  const auto weight = hn::Set(df, number);
  const auto slope = hn::Set(df, number * job.slope);
  auto even = hn::Zero(df), odd = even;  // two sums, since each waits for its last addition
  for (size_t i = 0; i < job.columns; i += hn::Lanes(df)) {
    const auto difference = hn::Sub(Number::load(df, output + i), Number::load(df, target + i));
    const auto error = hn::Mul(difference, weight);
    const auto sum = hn::MulAdd(error, error, even);
    even = odd;
    odd = sum;
    Number::store(df, hn::Mul(error, slope), gradient + i);
  }
  return hn::GetLane(hn::SumOfLanes(df, hn::Add(even, odd)));
}

template <class Number>
HWY_INLINE double error_rows(const ErrorJob& job) {
  double sum = 0;
  by_lanes(job.columns, [&](auto df) HWY_ATTR {
    for (size_t row = 0; row < job.rows; ++row) {
      sum += static_cast<double>(error_row<Number>(df, job, row));
    }
  });
  return sum;
}

double all_errors(const ErrorJob& job) {
  return job.storage == Storage::Float32 ? error_rows<Float32>(job) : error_rows<BFloat16>(job);
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(all_errors);

SquaredErrors squared_errors(const at::Tensor& output,
                             const at::Tensor& target,
                             const at::Tensor& weights,
                             double factor) {
  SquaredErrors result = {0, at::empty(output.sizes(), output.options())};
  result.sum = HWY_DYNAMIC_DISPATCH(all_errors)(
      {.output = output.const_data_ptr(),
       .target = target.const_data_ptr(),
       .weights = weights.defined() ? weights.const_data_ptr<float>() : nullptr,
       .gradient = result.gradient.mutable_data_ptr(),
       .storage = storage_of(output),
       .rows = static_cast<size_t>(output.size(0)),
       .columns = static_cast<size_t>(output.size(1)),
       .slope = static_cast<float>(2 * factor)});
  return result;
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
