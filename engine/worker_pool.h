// Items of work on a fixed number of threads.
#pragma once

#include <cstddef>
#include <functional>

namespace oneshot {

struct ParallelWork {
  size_t count = 0;
  int threads = 1;
  std::function<void()> start_thread;  // once on each thread, before its first item; may be empty
  std::function<void(size_t)> run;     // items are taken in order, by whichever thread is free
  /// On the calling thread, about ten times a second and at least once; false cancels.
  std::function<bool()> tick;
};

/// Returns when all items are done. An exception of an item stops the others and is thrown again;
/// of several, that of the earliest item. Throws Interrupted when `tick` cancels.
void run_in_parallel(const ParallelWork& work);

}  // namespace oneshot
