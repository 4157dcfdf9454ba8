// What goes into the Linears of a block, looked at before it is tuned.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "engine/modifier.h"

namespace oneshot {

/// For each module of the block the mean square of each input channel over all samples, float32
/// [in].
std::vector<at::Tensor> mean_squares(const TunableBlock& block);

}  // namespace oneshot
