// Items of work on a fixed number of threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace oneshot {

struct ParallelItems {
  size_t count = 0;
  std::function<void(size_t)> run;  // items are taken in order, by whichever thread is free
  /// On the calling thread, about ten times a second and at least once; false cancels.
  std::function<bool()> tick;
};

/// Threads that wait for items. What a thread has made for itself stays with it, such as the
/// products that oneDNN has compiled.
class WorkerPool {
 public:
  /// start_thread: once on each thread, before its first item; may be empty, must not throw.
  WorkerPool(int threads, const std::function<void()>& start_thread);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Returns when all items are done. An exception of an item stops the others and is thrown again;
  /// of several, that of the earliest item. Throws Interrupted when `tick` cancels. For one thread
  /// at a time.
  void run(const ParallelItems& items);

 private:
  void serve(const std::stop_token& end, const std::function<void()>& start_thread);
  void take_items();
  void record_failure(size_t item);

  std::mutex mutex_;  // of all that follows, but for what is atomic
  std::condition_variable_any has_items_;
  std::condition_variable is_done_;
  const ParallelItems* items_ = nullptr;
  uint64_t round_ = 0;  // of items, counted
  size_t running_ = 0;  // threads that are not done with this round
  std::atomic<size_t> next_{0};
  std::atomic<bool> stop_{false};
  size_t failed_item_ = 0;
  std::exception_ptr failure_;
  std::vector<std::jthread> threads_;
};

struct ParallelWork {
  size_t count = 0;
  int threads = 1;
  std::function<void()> start_thread;  // as those of WorkerPool
  std::function<void(size_t)> run;
  std::function<bool()> tick;
};

/// As WorkerPool::run, on threads of its own.
void run_in_parallel(const ParallelWork& work);

}  // namespace oneshot
