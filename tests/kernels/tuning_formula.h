// Tuning as the papers' formulas say it, differentiated by autograd: what the kernels are compared
// with. Written on its own, from data_type/int.py and data_type/mxfp.py of auto-round; a
// rounding is (x − detach(x)) + round(x).
#pragma once

#include <ATen/ATen.h>

#include "engine/kernels/tuning.h"

namespace oneshot::kernels {

/// The parameters of a weight, each ready for autograd: rounding [rows, columns], the factors
/// [rows, groups].
struct Parameters {
  at::Tensor rounding, min_factor, max_factor;
};

/// What the formula gives. codes, scale and zero_point as round_tuned stores them, in float32.
struct Formula {
  at::Tensor values;  // float32 [rows, columns], with a graph
  at::Tensor codes, scale, zero_point;
};

/// start: as in TunedWeight, or undefined.
Formula formula_of(const TunedScheme& scheme,
                   const at::Tensor& weight,
                   const Parameters& parameters,
                   const at::Tensor& start);

}  // namespace oneshot::kernels
