#include "engine/text/jinja_budget.h"

#include <string>

namespace oneshot::jinja {
namespace {

constexpr size_t kMostSteps = 10'000'000;
constexpr size_t kMostBytes = size_t{1} << 30;  // made in one rendering, freed ones counted

}  // namespace

void fail(const std::string& message) {
  throw Failure(ErrorCode::Checkpoint, message);
}

void fail_unsupported(const std::string& what) {
  throw Failure(ErrorCode::Unsupported, what + " is not supported");
}

void Budget::step(size_t count) {
  steps_ += count;
  if (steps_ > kMostSteps) {
    fail("the template takes more than " + std::to_string(kMostSteps) + " steps");
  }
}

void Budget::hold(size_t bytes) {
  bytes_ += bytes;
  if (bytes_ > kMostBytes) {
    fail("the template makes more than 1 GiB of values");
  }
}

void append_checked(std::string& text, std::string_view more) {
  if (text.size() + more.size() > kLargestText) {
    fail("the template makes a text of more than 64 MiB");
  }
  text += more;
}

}  // namespace oneshot::jinja
