// Between the bytes of a checkpoint and ATen tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <span>

#include "engine/quant/dtype.h"

namespace oneshot {

/// The ATen dtype of elements of a container's dtype. throws Unsupported when ATen has none.
at::ScalarType scalar_type(Dtype dtype);

/// The container's dtype of an ATen dtype. throws Failed when there is none.
Dtype container_dtype(at::ScalarType type);

/// A view of bytes as a tensor; a copy where they are not aligned for their dtype.
/// The bytes outlive the result and are not written to.
at::Tensor tensor_of(const std::byte* bytes, Dtype dtype, at::IntArrayRef shape);

/// The bytes of a contiguous CPU tensor.
std::span<const std::byte> bytes_of(const at::Tensor& tensor);

}  // namespace oneshot
