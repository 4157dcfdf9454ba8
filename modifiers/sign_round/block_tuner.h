// SignRound: the rounding of a block's weights, and the ends of the ranges that their scales come
// from, tuned by signed gradient descent so that the block's output stays what it was.
// Source: Cheng et al., arXiv:2309.05516, as auto-round 0.15 runs it.
#pragma once

#include "engine/modifier.h"
#include "modifiers/sign_round/sign_round_options.h"

namespace oneshot {

/// The codes of all modules of the block, from the parameters of the lowest loss. The same for any
/// number of threads. throws Failed when the loss is not finite and the options do not say what
/// then, Checkpoint for weights that are not finite, Interrupted.
TunedBlock tune_block(const TunableBlock& block, const SignRoundOptions& options);

}  // namespace oneshot
