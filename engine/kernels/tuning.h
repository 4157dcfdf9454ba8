// The kernels of tuning by signed gradients: what a weight becomes under its tunable parameters,
// one step of these, and the search of a scale to start from. Each is one pass, without the
// temporaries of autograd, and gives the bits of the reference on every instruction set.
//
// Source: SignRound, Cheng et al., arXiv:2309.05516, as auto-round computes it (data_type/int.py,
// data_type/mxfp.py). A row does not depend on the others and no kernel starts a thread: callers
// share out rows (`rows_of`).
//
// Differs from auto-round in these places:
// · arithmetic is float32 whatever the weight's dtype (there: float16 ÷ float16 stays float16);
// · the gradient of a scale stays float32 (there: rounded to float16, tiny ones become no step);
// · exponents of Mx are read from the bits (there: log2, which rounds up just below powers of two);
// · a zero point is at most 2^bits − 1 (there: not bounded). Only 8 bits with a scale below
//   256 · 2^-24, where float16 is coarse, can round to more; it keeps the gradient it would have.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace oneshot::kernels {

enum class TunedCodes {
  Symmetric,  // integers −M … M−1, M = 2^(bits−1); the larger end of the range is the code −M
  Asymmetric,  // integers 0 … 2^bits−1 around a zero point
  Mx,          // FP4 (E2M1), one power of two (E8M0) a group
};

struct TunedScheme {
  TunedCodes codes;
  int bits;            // 2 … 8; Mx: 4
  int64_t group_size;  // columns that share a scale, the last group may be shorter; −1: the row
  double factor_limit = 1;  // largest max_factor
};

/// Rows of a weight that is tuned, all contiguous, on one device, without gradients. Per group:
/// float32 [rows, groups].
struct TunedWeight {
  at::Tensor weight;    // [rows, columns] bfloat16, float16 or float32, finite; never changed
  at::Tensor min, max;  // min(group, 0) and max(group, 0), as `range_with_zero` gives them
  /// Undefined, or what a search found. Symmetric: the signed scale, which max_factor multiplies;
  /// the range is not used. Mx: a factor of the largest magnitude. Not for Asymmetric.
  at::Tensor start;
  at::Tensor rounding;                // float32 [rows, columns]: added before rounding, begins at 0
  at::Tensor min_factor, max_factor;  // of min and max, in [0, 1] and [0, factor_limit]; begin at 1
};

/// Where the results go: buffers of the caller, contiguous. All but `values` may be undefined: then
/// they are not wanted.
struct RoundedWeight {
  at::Tensor values;  // [rows, columns] bfloat16 or float32: scale · code
  /// int8 [rows, columns], −2^(bits−1) … 2^(bits−1)−1; Mx: uint8, as encode_fp4 gives them.
  at::Tensor codes;
  at::Tensor scale;       // float16 [rows, groups], signed; Mx: uint8, exponent + 127
  at::Tensor zero_point;  // int8 [rows, groups], as the codes; Asymmetric only
};

/// Rounds the weight with its parameters as they are, into `out`. With rounding 0 and factors 1
/// that is rounding to nearest.
///
/// Symmetric: scale = the end of the range with the larger magnitude (the positive one at a tie)
/// ÷ −M. Asymmetric: scale = (max − min) ÷ (2^bits − 1), zero point = round(−min ÷ scale). Both
/// scales are rounded to float16 and then kept at least 1e-5 (in float16) away from zero; a scale
/// that is zero becomes positive. code = round(weight ÷ scale + rounding), ties to even, clamped.
/// Mx: scale = 2^(floor(log2(largest magnitude)) − 2), and 1/2 for a group of zeros.
void round_tuned(const TunedScheme& scheme, const TunedWeight& weight, RoundedWeight& out);

/// One step down the signs of the gradients: rounding −= rate · sign(dL/d rounding), the factors
/// −= factor_rate · sign(…), and are then clamped to their limits; sign(0) = 0.
/// gradient: dL/d values, [rows, columns] bfloat16 or float32.
///
/// Gradients pass straight through every rounding. A code that the clamp changed has none for its
/// rounding, one on the boundary has. A scale that the threshold changed has none, and of two equal
/// ends of a symmetric range both are stepped. Mx: an element is rounded with an exponent of its
/// own, whose gradient auto-round keeps: the slope of a value of 1 and more is rounded ÷ exact,
/// below it is 1, and 0 at zero.
void sign_step(const TunedScheme& scheme,
               const TunedWeight& weight,
               const at::Tensor& gradient,
               float rate,
               float factor_rate);

/// The starting scale of each group of a symmetric scheme that makes Σ importance · error² least
/// among about 200 candidates around the range: float32 [rows, groups], float16 values after the
/// threshold of `round_tuned`.
/// importance: float32 [columns], not negative, the mean square of each input, or undefined: all 1.
/// Where at most half of a group's are zero, those become the mean of the others; where more are,
/// the group takes |weight| (bits ≤ 3) or |weight| + √(Σ weight² ÷ 32) instead.
at::Tensor search_scales(const TunedScheme& scheme,
                         const at::Tensor& weight,
                         const at::Tensor& importance);

/// min(group, 0) and max(group, 0), float32 [rows, groups].
struct RangeWithZero {
  at::Tensor min, max;
};
RangeWithZero range_with_zero(const at::Tensor& weight, int64_t group_size);

/// A weight before its first step: its ranges, rounding 0, factors 1.
TunedWeight untuned(const TunedScheme& scheme, const at::Tensor& weight);

/// Buffers for everything that `round_tuned` gives, values in `dtype`.
RoundedWeight rounded_buffers(const TunedScheme& scheme,
                              const at::Tensor& weight,
                              at::ScalarType dtype);

/// Some rows, sharing memory with the whole.
TunedWeight rows_of(const TunedWeight& weight, int64_t first, int64_t count);
RoundedWeight rows_of(const RoundedWeight& weight, int64_t first, int64_t count);

}  // namespace oneshot::kernels
