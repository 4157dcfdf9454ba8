// How heads of bfloat16 lie in memory for the products of tiles. These read the rows of their left
// factor, and their right factor as pairs: two of its rows in each word, the first in the low half.
#pragma once

#include <ATen/core/Tensor.h>

namespace oneshot::kernels::cpu {

// heads: [B, heads, T, head_dim], bfloat16; T a multiple of 32, head_dim even.

/// Each head as a right factor: int32 [B · heads, T / 2, head_dim].
at::Tensor row_pairs(const at::Tensor& heads);

/// Each head transposed, as a right factor: int32 [B · heads, head_dim / 2, T].
at::Tensor transposed_pairs(const at::Tensor& heads);

}  // namespace oneshot::kernels::cpu
