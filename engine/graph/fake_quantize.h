// Activations as a quantized checkpoint's reader sees them: rounded to codes and back.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/quant/quantized_weight.h"

namespace oneshot {

/// Quantizes and dequantizes x [..., columns] in x's dtype, as compressed-tensors does at run time.
/// Dynamic: with scales computed from x, per token, per group of columns, or over the whole tensor.
/// Static: with the scale and zero point of `measured`. Local: per group, below its global scale.
at::Tensor fake_quantize(const QuantArgs& args, const InputScales& measured, const at::Tensor& x);

}  // namespace oneshot
