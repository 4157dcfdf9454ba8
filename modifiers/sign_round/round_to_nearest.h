// SignRound without steps: the scales that it starts from, and the nearest codes.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "engine/quant/quantized_weight.h"

namespace oneshot::sign_round {

/// Quantizes rows of a weight, each by itself. Source: auto-round 0.15.1 with iters 0 and
/// disable_opt_rtn (data_type/{int,mxfp}.py), bit for bit. Ranges are computed in the weight's
/// dtype, integer scales are float16:
/// symmetric: the end with the larger magnitude ÷ −2^(b−1), so that it gets code −2^(b−1) and the
///   scale is negative where the positive end is the larger or they tie; magnitude at least 1e-5
/// asymmetric: (high − low) ÷ (2^b − 1), at least 1e-5; zero point round(−low ÷ scale), and codes
///   round(w ÷ scale) + zero point
/// float4 (MXFP4): exponent floor(log2(max |w|)) − 2; a group of zeros has the exponent −1
/// weight [rows, in] bfloat16, float16 or float32
/// returns nothing when a value of the weight is NaN or infinite
std::optional<QuantizedWeight> round_to_nearest(const Scheme& scheme, const at::Tensor& weight);

}  // namespace oneshot::sign_round
