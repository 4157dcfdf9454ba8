// The one exception type of the project, and how its kinds map to exit codes.
#pragma once

#include <stdexcept>
#include <string>

namespace oneshot {

/// What ended the run. The value is the exit code of the command line; a promise, never renumber.
enum class ErrorCode {
  Failed = 1,       // failed while running: a quality gate, a held lock, an internal error
  Recipe = 2,       // the recipe or the command line is wrong
  Checkpoint = 3,   // the checkpoint or the data is wrong or damaged
  Unsupported = 4,  // scheme, format, architecture or shape that is not supported
  Resource = 5,     // no memory, no disk, or a budget too small
  Interrupted = 130,
};

/// Thrown for everything that ends the run. The message is one line: what, where, what was found,
/// what to do. Caught in `cli/main.cpp` only, which prints it and exits with `exit_code()`.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }
  int exit_code() const { return static_cast<int>(code_); }

 private:
  ErrorCode code_;
};

}  // namespace oneshot
