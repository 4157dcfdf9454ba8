// The data-free way: weights stream from the source through the modifiers into the shards, a slice
// of rows at a time, so that memory does not grow with the model.
#pragma once

#include <filesystem>
#include <vector>

#include "engine/modifier.h"
#include "engine/plan.h"
#include "engine/run_listener.h"
#include "engine/tuned_blocks.h"

namespace oneshot {

struct StreamRequest {
  const Plan* plan = nullptr;
  const SourceCheckpoint* source = nullptr;
  std::vector<const Modifier*> modifiers;
  const CalibrationResults* calibrated = nullptr;  // empty for a data-free run
  const TunedBlocks* tuned = nullptr;              // codes that are made already; null: none are
  std::vector<std::filesystem::path> folders;      // one for each planned output; they exist
};

/// Writes all weight files of all outputs and returns when they are on the disk.
/// Throws what modifiers and files throw, and Interrupted when the listener cancels.
void stream_weights(const StreamRequest& request, RunListener& listener);

}  // namespace oneshot
