// Shows a run to whoever started it: a bar on a terminal, plain lines elsewhere, and a log of JSON
// lines where one was asked for.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/run_log.h"
#include "engine/run_listener.h"

namespace oneshot::cli {

/// Ctrl-C and a polite kill end the run cleanly from here on.
void catch_interrupts();

/// Everything goes to standard error; standard output is for results.
class ConsoleListener : public RunListener {
 public:
  /// log: outlives the listener.
  ConsoleListener(bool quiet, RunLog& log);
  ~ConsoleListener() override;

  void on_plan(const Plan& plan) override;
  /// Prints and logs them.
  void on_warnings(const std::vector<std::string>& warnings) override;
  void on_progress(const Progress& progress) override;
  void on_block(const BlockEvent& event) override;
  bool cancelled() override;

  /// Blocks that were tuned so far, by an earlier run too.
  size_t tuned_blocks() const { return tuned_blocks_; }

  /// Clears the bar. Call before printing anything else.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  void show(const Progress& progress, double seconds);

  bool quiet_;
  bool terminal_;
  bool bar_shown_ = false;
  size_t tuned_blocks_ = 0;
  std::string phase_;
  uint64_t phase_began_at_ = 0;             // done before it
  Clock::time_point start_ = Clock::now();  // of the phase
  Clock::time_point next_line_;
  RunLog& log_;
};

}  // namespace oneshot::cli
