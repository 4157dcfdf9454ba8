// Activations as a quantized checkpoint's reader sees them: rounded to codes and back.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/quant/scheme.h"

namespace oneshot {

/// Quantizes and dequantizes x [..., columns] with scales computed from it: per token, per group of
/// columns, or over the whole tensor; in x's dtype, as compressed-tensors does at run time.
/// args: dynamic, and no local scales. throws Unsupported for those.
at::Tensor fake_quantize_dynamic(const QuantArgs& args, const at::Tensor& x);

}  // namespace oneshot
