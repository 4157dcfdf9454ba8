// Weights that are tuned, for the tests of their kernels.
#pragma once

#include <ATen/ATen.h>

#include <string>

#include "engine/kernels/tuning.h"

namespace oneshot::kernels {

/// With parameters of its own.
inline TunedWeight copy_of(const TunedWeight& weight) {
  TunedWeight copy = weight;
  copy.rounding = weight.rounding.clone();
  copy.min_factor = weight.min_factor.clone();
  copy.max_factor = weight.max_factor.clone();
  return copy;
}

/// For messages.
inline std::string text_of(const TunedScheme& scheme, const at::Tensor& weight) {
  return c10::str("codes ",
                  static_cast<int>(scheme.codes),
                  ", ",
                  scheme.bits,
                  " bits, groups of ",
                  scheme.group_size,
                  " in ",
                  weight.scalar_type(),
                  " ",
                  weight.sizes());
}

}  // namespace oneshot::kernels
