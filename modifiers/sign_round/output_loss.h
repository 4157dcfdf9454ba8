// How far the output of a block is from what it was: what counts, and how much.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modifiers/sign_round/sign_round_options.h"

namespace oneshot {

/// What the errors of each token are multiplied with before they are squared: float32 [tokens], 0
/// for those behind the `counted` first ones. target: [tokens, hidden size].
/// Relative: 1 ÷ root mean square of the token's target: errors are weighed by how large they are
/// beside it, as the norm before the next block sees them. Without it a few tokens with enormous
/// activations decide alone what is tuned.
at::Tensor token_weights(LossKind kind, const at::Tensor& target, int64_t counted);

}  // namespace oneshot
