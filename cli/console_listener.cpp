#include "cli/console_listener.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "cli/text.h"

namespace oneshot::cli {
namespace {

constexpr auto kFirstLine = std::chrono::seconds(5);
constexpr auto kBetweenLines = std::chrono::seconds(5);
constexpr int kBarWidth = 24;

volatile std::sig_atomic_t interrupted = 0;

extern "C" void on_signal(int) {
  interrupted = 1;
}

std::string bar_text(double share) {
  const int full = static_cast<int>(share * kBarWidth);
  std::string bar;
  for (int i = 0; i < kBarWidth; ++i) {
    bar += i < full ? "█" : "░";
  }
  return bar;
}

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string amount(uint64_t value, const char* unit) {
  return *unit == '\0' ? bytes_text(value) : std::to_string(value) + " " + unit;
}

/// "1.20 GB of 4.29 GB, 812 MB/s, 3.8 s left"; "12 steps of 24 steps, 3.0 s left".
/// began_at: what was done when the phase began.
std::string figures(const Progress& progress, uint64_t began_at, double seconds) {
  std::string text =
      amount(progress.done, progress.unit) + " of " + amount(progress.total, progress.unit);
  if (progress.done > began_at && seconds > 0.2) {
    const double rate = static_cast<double>(progress.done - began_at) / seconds;
    const auto left = static_cast<double>(progress.total - progress.done);
    text += *progress.unit == '\0' ? ", " + bytes_text(static_cast<uint64_t>(rate)) + "/s"
            : progress.loss        ? ", " + number_text(rate) + "/s"
                                   : "";
    text += ", " + seconds_text(left / rate) + " left";
  }
  if (progress.loss) {
    text += ", " + progress.part + ": loss " + number_text(*progress.loss);
  }
  return text;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESETHAND;  // a second Ctrl-C ends the process at once
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

ConsoleListener::ConsoleListener(bool quiet, RunLog& log)
    : quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) == 1),
      next_line_(start_ + kFirstLine),
      log_(log) {}

ConsoleListener::~ConsoleListener() {
  finish();
}

void ConsoleListener::on_plan(const Plan& plan) {
  const auto quantized = std::count_if(plan.modules.begin(),
                                       plan.modules.end(),
                                       [](const PlannedModule& m) { return m.scheme.has_value(); });
  log_.add("plan",
           {{"quantized", quantized},
            {"modules", plan.modules.size()},
            {"output_bytes", plan.output_bytes()},
            {"peak_memory_bytes", plan.peak_memory_bytes},
            {"threads", plan.threads}});
  on_warnings(plan.warnings);
  start_ = Clock::now();
  next_line_ = start_ + kFirstLine;
}

void ConsoleListener::on_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
    log_.add("warning", {{"message", warning}});
  }
}

void ConsoleListener::on_progress(const Progress& progress) {
  const auto now = Clock::now();
  if (phase_ != progress.phase) {
    phase_ = progress.phase;
    phase_began_at_ = progress.done;
    start_ = now;
  }
  const double seconds = std::chrono::duration<double>(now - start_).count();
  if (terminal_ && !quiet_) {
    show(progress, seconds);
  }
  if (now < next_line_) {
    return;
  }
  next_line_ = now + kBetweenLines;
  if (!terminal_ && !quiet_) {
    std::fprintf(
        stderr, "%s: %s\n", progress.phase, figures(progress, phase_began_at_, seconds).c_str());
  }
  log_.add("progress",
           {{"phase", progress.phase},
            {"bytes_done", progress.done},
            {"bytes_total", progress.total},
            {"seconds", seconds}});
}

void ConsoleListener::on_block(const BlockEvent& event) {
  tuned_blocks_ = event.number;
  const TunedBlock& block = event.outcome;
  std::string text = block.name + " (" + std::to_string(event.number) + " of " +
                     std::to_string(event.count) + "): ";
  if (event.resumed) {
    text += "from an earlier run";
  } else if (!block.failure.empty()) {
    text += "rounded to nearest: " + block.failure;
  } else if (!block.losses.empty()) {
    const auto steps = static_cast<double>(block.losses.size());
    text += "loss " + number_text(block.losses.front()) + " → " +
            number_text(block.losses[static_cast<size_t>(block.best)]) + ", " +
            number_text(steps / std::max(block.seconds, 1e-3)) + " iterations/s";
  } else {
    text += "done";
  }
  if (event.seconds_left && event.number < event.count) {
    text += ", " + seconds_text(*event.seconds_left) + " left";
  }
  finish();
  if (!quiet_) {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
  log_.add("block",
           {{"name", block.name},
            {"number", event.number},
            {"count", event.count},
            {"resumed", event.resumed},
            {"losses", block.losses},
            {"best", block.best},
            {"seconds", block.seconds},
            {"failure", block.failure}});
}

void ConsoleListener::show(const Progress& progress, double seconds) {
  const double share =
      progress.total > 0 ? static_cast<double>(progress.done) / progress.total : 1.0;
  std::string line = std::string(progress.phase) + " " + bar_text(share) + " " +
                     figures(progress, phase_began_at_, seconds);
  if (terminal_columns() < 100) {
    line = std::string(progress.phase) + " " + figures(progress, phase_began_at_, seconds);
  }
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
  bar_shown_ = true;
}

bool ConsoleListener::cancelled() {
  return interrupted != 0;
}

void ConsoleListener::finish() {
  if (bar_shown_) {
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    bar_shown_ = false;
  }
}

}  // namespace oneshot::cli
