// What running a model costs in memory, and what of it can be traded for time.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/checkpoint_model.h"

namespace oneshot {

/// How a text is continued: bytes of weights that may stay in memory from token to token.
/// tokens: of the prompt and what follows it. memory: what was asked for; nothing: all that the
/// system has. throws Resource when even a part of the model at a time does not fit.
uint64_t kept_weight_bytes(CheckpointModel& model, int64_t tokens, std::optional<uint64_t> memory);

}  // namespace oneshot
