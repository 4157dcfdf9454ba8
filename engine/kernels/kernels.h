// The front functions of the kernels: shapes are checked here once, then the device's table is
// asked. Every kernel gives the bits of the reference (plain ATen), on every device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace oneshot::kernels {

// Groups: `group_size` neighbouring columns of a row; the last group of a row may be shorter.
// weight is [rows, columns], contiguous, bfloat16, float16 or float32;
// scale and zero_point are [rows, ceil(columns / group_size)].

/// Largest magnitude of each group, in the weight's dtype: [rows, groups].
/// A group that holds NaN or infinity gives a value that is not finite.
at::Tensor group_absmax(const at::Tensor& weight, int64_t group_size);

struct GroupRange {
  at::Tensor min, max;  // [rows, groups], in the weight's dtype
};
/// Smallest and largest value of each group. A group that holds NaN or infinity gives a `max` that
/// is not finite.
GroupRange group_range(const at::Tensor& weight, int64_t group_size);

// The encoders below divide as PyTorch does: the quotient has the dtype of
// promote(weight, scale), e.g. bfloat16 ÷ bfloat16 is rounded to bfloat16, bfloat16 ÷ float32 is
// float32. Then −0 becomes +0 (the peers add a zero point of 0), the quotient is clamped to the
// range of the codes and rounded to nearest, ties to even.
// Source: quantization/lifecycle/forward.py of compressed-tensors.

/// Integer codes −2^(bits−1) … 2^(bits−1)−1 as int8 [rows, columns]: round(weight ÷ scale +
/// zero_point). zero_point: int8 like scale, or undefined. The sum has the quotient's dtype too.
/// bits: 2 … 8.
at::Tensor encode_int(const at::Tensor& weight,
                      const at::Tensor& scale,
                      const at::Tensor& zero_point,
                      int64_t group_size,
                      int bits);

/// float8_e4m3fn codes [rows, columns]. A negative that rounds to zero keeps its sign.
at::Tensor encode_fp8(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size);

/// FP4 (E2M1) codes as uint8 [rows, columns]: sign << 3 | index into {0, 0.5, 1, 1.5, 2, 3, 4, 6}.
/// Ties go to the even index; a negative that rounds to zero keeps its sign, a zero has none.
at::Tensor encode_fp4(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size);

/// Packs integer codes into int32 words, [rows, ceil(columns · bits / 32)]: code + 2^(bits−1) as a
/// stream of bits, the first code in the lowest bits of the first word, codes crossing words; the
/// bits behind the last code are zero. Source: pack-quantized, reference in
/// formats/compressed_tensors/FORMAT.md.
at::Tensor pack_int(const at::Tensor& codes, int bits);
/// The inverse of pack_int: int8 codes [rows, columns].
at::Tensor unpack_int(const at::Tensor& words, int bits, int64_t columns);

/// Packs FP4 codes two a byte, the even column in the low nibble: [rows, columns / 2].
/// columns must be even.
at::Tensor pack_nibbles(const at::Tensor& codes);
/// The inverse of pack_nibbles: [rows, 2 · columns of bytes].
at::Tensor unpack_nibbles(const at::Tensor& bytes);

// The steps of a forward pass between its products. Their sums are taken in another order than the
// reference's, so they equal it within rounding only, and are the same for any number of threads.
// Where a gradient is asked for, it goes back by the ways of backward.h; where the weight of a norm
// wants one too, or the dtype is float16, the reference is what is differentiated.

/// x ÷ √(mean of x² over the last dimension + epsilon), in float32, rounded to x's dtype, times
/// weight. input [..., columns], weight [columns], of one dtype. Source: arXiv:1910.07467.
at::Tensor rms_norm(const at::Tensor& input, const at::Tensor& weight, double epsilon);

/// silu(gate) · up, silu in float32 and rounded. gate, up [..., columns], of one dtype.
at::Tensor silu_multiply(const at::Tensor& gate, const at::Tensor& up);

/// Rotary position embedding, half-split: rotates the first dims of each head by its token's
/// angles. x [B, T, heads, head_dim]; cosine, sine [1, T, rotated], of x's dtype → [B, heads, T,
/// head_dim]. Source: arXiv:2104.09864, as Transformers computes it.
at::Tensor rotate_heads(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine);

/// What the rows of a softmax see: the one whose number is r among `period` consecutive ones the
/// first first + r + 1 columns, each score times `scale`.
struct CausalRows {
  int64_t period, first;
  double scale;
};
/// The softmax of scale · scores over the last dimension, in float32, in place; columns that a row
/// does not see become 0. scores [..., rows, columns], contiguous, its rows a multiple of the
/// period; no gradient. log_sums, float32, one a row, where it is defined, gets the logarithm of
/// the sum of each row's exponentials, for the way back.
void causal_softmax(at::Tensor& scores, const CausalRows& rows, const at::Tensor& log_sums = {});

}  // namespace oneshot::kernels
