// Samples of a batch side by side: each is computed by one thread, in one and the same way for any
// number of threads, so that results do not depend on them.
#pragma once

#include <cstddef>
#include <functional>

namespace oneshot {

struct ParallelSamples {
  size_t count = 0;
  int threads = 1;
  /// About ten times a second on the calling thread; false cancels. Empty: never asked.
  std::function<bool()> tick = {};
};

/// Calls `run` for each sample, without gradients, its number known to hooks.
/// throws what `run` throws, of several that of the earliest sample; Interrupted.
void parallel_forward(const ParallelSamples& samples, const std::function<void(size_t)>& run);

}  // namespace oneshot
