// What the kernel tests share: running a check on every instruction set that this machine has, the
// comparison of two results bit by bit, and inputs.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <string>

#include "engine/kernels/kernel_table.h"

namespace oneshot::kernels {

/// Calls `check` once for every instruction set that the CPU kernels are compiled for and that
/// this machine has; they use it during the call.
template <class Check>
void on_every_target(const Check& check) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    check(cpu_kernels());
    hwy::SetSupportedTargetsForTest(0);
  }
}

/// The same dtype, shape and bits; any NaN equals any other.
inline testing::AssertionResult same_bits(const at::Tensor& got, const at::Tensor& want) {
  if (got.scalar_type() != want.scalar_type() || got.sizes() != want.sizes() ||
      !got.is_contiguous()) {
    return testing::AssertionFailure() << got.scalar_type() << " " << got.sizes() << " instead of "
                                       << want.scalar_type() << " " << want.sizes();
  }
  const auto bits = [](const at::Tensor& tensor) {
    at::Tensor plain = tensor;
    if (at::isFloatingType(tensor.scalar_type()) && tensor.element_size() > 1) {
      plain = at::where(tensor.isnan(), at::full({}, NAN, tensor.options()), tensor);
    }
    return plain.view(plain.element_size() == 4   ? at::kInt
                      : plain.element_size() == 2 ? at::kShort
                                                  : at::kByte);
  };
  const at::Tensor differs = bits(got).ne(bits(want)).nonzero();  // [places, 2]
  if (differs.size(0) == 0) {
    return testing::AssertionSuccess();
  }
  const int64_t row = differs[0][0].item<int64_t>(), column = differs[0][1].item<int64_t>();
  return testing::AssertionFailure()
         << differs.size(0) << " of " << got.numel() << " differ, first at " << row << ", "
         << column << ": bits " << bits(got)[row][column].item<int>() << " instead of "
         << bits(want)[row][column].item<int>();
}

/// Every 16-bit pattern as a number of `dtype`, in an order without pattern: [256, 256].
inline at::Tensor all_patterns(at::ScalarType dtype) {
  return at::randperm(65536).to(at::kShort).view({256, 256}).view(dtype);
}

/// Those of `tensor` that are finite, as one row.
inline at::Tensor finite_ones(const at::Tensor& tensor) {
  return tensor.masked_select(tensor.isfinite()).unsqueeze(0);
}

}  // namespace oneshot::kernels
