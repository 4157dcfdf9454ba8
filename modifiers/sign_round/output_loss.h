// How far the output of a block is from what it was.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace oneshot {

/// The tokens of a sample whose outputs count: all but the last, whose output predicts nothing that
/// is there.
int64_t loss_tokens(int64_t tokens);

struct OutputLoss {
  double sum;           // of the weighted squared errors of all values that count
  at::Tensor gradient;  // of factor · sum, in the dtype of the output
};

/// output, target [1, tokens, hidden size]. weights: float32 [1, tokens, 1], what errors are
/// multiplied with before they are squared; undefined: 1.
OutputLoss output_loss(const at::Tensor& output,
                       const at::Tensor& target,
                       const at::Tensor& weights,
                       double factor);

/// 1 ÷ root mean square of each token's target: errors are weighed by how large they are beside
/// it, as the norm before the next block sees them. Without it a few tokens with enormous
/// activations decide alone what is tuned.
at::Tensor relative_weights(const at::Tensor& target);

}  // namespace oneshot
