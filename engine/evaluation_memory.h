// What running a model costs in memory, and what of it can be traded for time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/checkpoint_model.h"

namespace oneshot {

/// How a text is continued: bytes of weights that may stay in memory from token to token.
/// tokens: of the prompt and what follows it. memory: what was asked for; nothing: all that the
/// system has. throws Resource when even a part of the model at a time does not fit.
uint64_t kept_weight_bytes(CheckpointModel& model, int64_t tokens, std::optional<uint64_t> memory);

/// Threads that continue a text: those that were asked for, but one for a small model.
int generation_threads(const CheckpointModel& model, int threads);

struct SequencesRequest {
  std::vector<CheckpointModel*> models;  // that read the same sequences in step
  int64_t longest = 0;                   // tokens of a sequence
  int threads = 1;
  std::optional<uint64_t> memory;  // bytes
};

/// How sequences are scored: tokens whose hidden states may be in memory at once, so that all of it
/// stays below `memory` and 1 GiB more than the weight files.
/// throws Resource when even one sequence at a time needs more than `memory`.
int64_t tokens_at_once(const SequencesRequest& request);

}  // namespace oneshot
