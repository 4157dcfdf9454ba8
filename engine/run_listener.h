// Progress and events of a run, for whoever watches it. The engine itself prints and logs nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/plan.h"

namespace oneshot {

struct Progress {
  const char* phase = "";  // "measuring", "quantizing", "syncing", "evaluating"
  uint64_t done = 0;       // of the whole run; bytes: of the source, read so far
  uint64_t total = 0;
  const char* unit = "";  // what is counted; empty: bytes
};

/// Every method is called on the thread that called `oneshot::run`.
class RunListener {
 public:
  virtual ~RunListener() = default;

  virtual void on_plan(const Plan& /*plan*/) {}
  /// Of what was found in the data, once it is read.
  virtual void on_warnings(const std::vector<std::string>& /*warnings*/) {}
  virtual void on_progress(const Progress& /*progress*/) {}
  /// Asked about ten times a second; true ends the run cleanly with ErrorCode::Interrupted.
  virtual bool cancelled() { return false; }
};

}  // namespace oneshot
