#include "engine/worker_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/error.h"

namespace oneshot {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);

/// What the threads share.
struct Shared {
  std::atomic<size_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable thread_ended;
  int running = 0;
  size_t failed_item = 0;
  std::exception_ptr failure;
};

void record_failure(Shared& shared, size_t item) {
  const std::lock_guard lock(shared.mutex);
  if (!shared.failure || item < shared.failed_item) {
    shared.failure = std::current_exception();
    shared.failed_item = item;
  }
  shared.stop = true;
}

void work_on(const ParallelWork& work, Shared& shared) {
  size_t item = 0;
  try {
    if (work.start_thread) {
      work.start_thread();
    }
    while (!shared.stop && (item = shared.next++) < work.count) {
      work.run(item);
    }
  } catch (...) {
    record_failure(shared, item);
  }
  const std::lock_guard lock(shared.mutex);
  --shared.running;
  shared.thread_ended.notify_all();
}

}  // namespace

void run_in_parallel(const ParallelWork& work) {
  Shared shared;
  const auto wanted = static_cast<size_t>(std::max(1, work.threads));
  shared.running = static_cast<int>(std::min(wanted, std::max<size_t>(1, work.count)));
  bool cancelled = false;
  {
    std::vector<std::jthread> threads;
    for (int i = shared.running; i > 0; --i) {
      threads.emplace_back([&] { work_on(work, shared); });
    }
    std::unique_lock lock(shared.mutex);
    do {
      shared.thread_ended.wait_for(lock, kTick, [&] { return shared.running == 0; });
      lock.unlock();
      if (work.tick && !work.tick()) {
        cancelled = shared.stop = true;
      }
      lock.lock();
    } while (shared.running > 0);
  }
  if (shared.failure) {
    std::rethrow_exception(shared.failure);
  }
  if (cancelled) {
    throw Error(ErrorCode::Interrupted, "interrupted; no output was written");
  }
}

}  // namespace oneshot
