// Progress and events of a run, for whoever watches it. The engine itself prints and logs nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "engine/tuned_block.h"

namespace oneshot {

struct Progress {
  const char* phase = "";  // "measuring", "quantizing", "syncing", "evaluating"
  uint64_t done = 0;       // of the whole run; bytes: of the source, read so far
  uint64_t total = 0;
  const char* unit = "";            // what is counted; empty: bytes
  std::string part = {};            // that is worked on, such as a block
  std::optional<double> loss = {};  // of it so far
};

/// A block has been tuned.
struct BlockEvent {
  const TunedBlock& outcome;                // without its weights
  size_t number = 0, count = 0;             // of blocks that are tuned, from 1
  bool resumed = false;                     // by an earlier run that was cut off
  std::optional<double> seconds_left = {};  // for the other blocks
};

/// Every method is called on the thread that called `oneshot::run`.
class RunListener {
 public:
  virtual ~RunListener() = default;

  virtual void on_plan(const Plan& /*plan*/) {}
  /// Of what was found in the data, once it is read.
  virtual void on_warnings(const std::vector<std::string>& /*warnings*/) {}
  virtual void on_progress(const Progress& /*progress*/) {}
  virtual void on_block(const BlockEvent& /*event*/) {}
  /// Asked about ten times a second; true ends the run cleanly with ErrorCode::Interrupted.
  virtual bool cancelled() { return false; }
};

}  // namespace oneshot
