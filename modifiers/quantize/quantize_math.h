// Round to nearest: scales from the range of each group, codes by division and rounding.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/quant/quantized_weight.h"
#include "engine/quant/scales.h"

namespace oneshot {

/// Over the whole tensor.
ValueRange tensor_range(const at::Tensor& weight);

/// Quantizes rows of a weight, each by itself (schemes of strategy block: in blocks from the first
/// row on). Source: round-to-nearest of llm-compressor (QuantizationModifier), bit for bit.
/// weight [rows, in] bfloat16, float16 or float32
/// range: of the whole tensor (strategy tensor) or fused set (tensor_group), else undefined tensors
/// returns nothing when a value of the weight is NaN or infinite
std::optional<QuantizedWeight> round_to_nearest(const Scheme& scheme,
                                                const at::Tensor& weight,
                                                const ValueRange& range);

}  // namespace oneshot
