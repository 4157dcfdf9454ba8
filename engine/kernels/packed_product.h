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

}  // namespace oneshot::kernels
