// The entries of tuning in the reference's table, and how they see a weight: as groups.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/kernels/tuning.h"

namespace oneshot::kernels::reference {

void round_tuned(const TunedScheme& scheme, const TunedWeight& weight, RoundedWeight& out);
void sign_step(const TunedScheme& scheme,
               const TunedWeight& weight,
               const at::Tensor& gradient,
               float rate,
               float factor_rate);
at::Tensor search_scales(const TunedScheme& scheme,
                         const at::Tensor& weight,
                         const at::Tensor& importance);

/// [rows, columns] as float32 [rows, groups, group_size], a short last group filled up with zeros.
at::Tensor grouped(const at::Tensor& matrix, int64_t group_size);

/// Σ over the last dimension, [rows, groups], in the order of the kernels: 16 sums, of the elements
/// 0, 16, 32 …, of 1, 17, 33 … and so on; then the second half of them is added to the first until
/// one is left.
at::Tensor sum_of_groups(const at::Tensor& groups);

/// A scale as it is used: rounded to float16, and not nearer to zero than the threshold.
at::Tensor stored_scale(const at::Tensor& scale);

}  // namespace oneshot::kernels::reference
