// What stops a template: its failures and its limits.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace oneshot::jinja {

/// What stops a template; becomes an Error with the template's file and line. `line` 0: the line
/// that is being rendered.
struct Failure : std::runtime_error {
  Failure(ErrorCode error_code, const std::string& message, int at_line = 0)
      : std::runtime_error(message), code(error_code), line(at_line) {}
  ErrorCode code;
  int line;
};
[[noreturn]] void fail(const std::string& message);
[[noreturn]] void fail_unsupported(const std::string& what);

/// What one rendering may use. Each method throws Failure at its limit.
class Budget {
 public:
  void step(size_t count = 1);
  void hold(size_t bytes);

 private:
  size_t steps_ = 0;
  size_t bytes_ = 0;
};

constexpr size_t kLargestText = size_t{64} << 20;

/// Appends, unless the text would grow beyond the largest that a template may make.
void append_checked(std::string& text, std::string_view more);

}  // namespace oneshot::jinja
