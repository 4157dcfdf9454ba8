// Products whose right factor is laid out once for many of them: the library that multiplies does
// so anew on each call, which takes a third of the time of a product with few rows.
#pragma once

#include <ATen/core/Tensor.h>

namespace oneshot::kernels {

/// Whether the products of this weight can be packed: bfloat16, on a processor that multiplies it.
bool can_pack(const at::Tensor& weight);

/// A weight [out, in] as `packed_linear` takes it: of the same size, opaque, no gradient.
at::Tensor packed(const at::Tensor& weight);

/// x · weightᵀ + bias, without gradients. x [..., in] → [..., out]; bias may be undefined.
at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias);

/// x [rows, in] of bfloat16 with rows of zeros behind, up to a whole step of rows; others as they
/// are. oneDNN keeps a quarter of a megabyte for every shape that it ever multiplied: texts of many
/// lengths would fill the memory with it.
at::Tensor in_whole_steps(const at::Tensor& x);

}  // namespace oneshot::kernels
