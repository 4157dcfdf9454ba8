// From the range of a group to its scale and zero point: the arithmetic of compressed-tensors,
// step by step and in its dtypes, so that scales are equal to the bit.
// Source: quantization/utils/{helpers,mxfp_utils}.py of compressed-tensors 0.19.0.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/quant/quantized_weight.h"
#include "engine/quant/scheme.h"

namespace oneshot {

/// A scale as it is stored, and as it divides the weight.
struct Scales {
  at::Tensor stored;  // weight's dtype, float16, float8_e4m3fn or uint8 (E8M0)
  at::Tensor
      divisor;  // what weight / divisor gives the code's value; weight's dtype, float16 or float32
  at::Tensor zero_point;  // int8; undefined when symmetric
};

/// Symmetric scales of groups whose largest magnitude is `absmax` (weight's dtype, any shape,
/// ≥ 0, finite): absmax ÷ ((max code − min code) / 2) in the weight's dtype, zero replaced by the
/// smallest step that the dtype tells from 1. Micro-scaled schemes: a power of two.
/// global_scale: float32 [1] for tensor_group schemes, else undefined.
Scales symmetric_scales(const QuantArgs& args,
                        const at::Tensor& absmax,
                        const at::Tensor& global_scale);

/// Scales and zero points of integer groups that span min … max (weight's dtype, finite).
/// A group of zeros has zero point 0.
Scales asymmetric_scales(const QuantArgs& args, const at::Tensor& min, const at::Tensor& max);

/// The scale of the scales of a tensor or fused set whose largest magnitude is `absmax` (0-d, in
/// the weight's dtype): 448 · 6 ÷ absmax, float32 [1]. As the peer, it multiplies the rounded
/// reciprocal.
at::Tensor tensor_group_global_scale(const at::Tensor& absmax);

/// Smallest and largest value of a tensor, 0-d, in its dtype. Not finite when a value is not.
struct ValueRange {
  at::Tensor min, max;
};

/// The scales of activations that span `range`: for static ones scale, in the range's dtype, and
/// zero point; for local ones the global scale.
InputScales input_scales(const QuantArgs& args, const ValueRange& range);

/// Scales or zero points as every row of the weight sees them: [rows, groups]. What tensor or block
/// shares is repeated.
at::Tensor scale_of_rows(const QuantArgs& args, const at::Tensor& scale, int64_t rows);

/// A stored scale as a number: E8M0 exponents as powers of two, float8 as float32, others as they
/// are.
at::Tensor scale_value(const QuantArgs& args, const at::Tensor& stored);

}  // namespace oneshot
