// What the processor can do, found out at run time.
#pragma once

namespace oneshot::kernels {

/// True when products of bfloat16 matrices run on instructions of their own (AVX-512-BF16, AMX,
/// Arm's BF16), so that they are faster than those of float32; without, they are several times
/// slower.
bool has_bfloat16_products();

}  // namespace oneshot::kernels
