#include "engine/worker_pool.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/error.h"

namespace oneshot {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);

}  // namespace

WorkerPool::WorkerPool(int threads, const std::function<void()>& start_thread) {
  for (int i = std::max(1, threads); i > 0; --i) {
    threads_.emplace_back(
        [this, start_thread](const std::stop_token& end) { serve(end, start_thread); });
  }
}

void WorkerPool::run(const ParallelItems& items) {
  std::unique_lock lock(mutex_);
  items_ = &items;
  next_ = 0;
  stop_ = false;
  failure_ = nullptr;
  running_ = threads_.size();
  ++round_;
  has_items_.notify_all();
  bool cancelled = false;
  do {
    is_done_.wait_for(lock, kTick, [&] { return running_ == 0; });
    lock.unlock();
    try {
      if (items.tick && !items.tick()) {
        cancelled = stop_ = true;
      }
    } catch (...) {
      record_failure(0);  // and wait: the threads still look at the items
    }
    lock.lock();
  } while (running_ > 0);
  if (failure_) {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
  if (cancelled) {
    throw Error(ErrorCode::Interrupted, "interrupted; no output was written");
  }
}

/// What each thread does.
void WorkerPool::serve(const std::stop_token& end, const std::function<void()>& start_thread) {
  if (start_thread) {
    start_thread();
  }
  std::unique_lock lock(mutex_);
  for (uint64_t round = 1; has_items_.wait(lock, end, [&] { return round_ == round; }); ++round) {
    lock.unlock();
    take_items();
    lock.lock();
    if (--running_ == 0) {
      is_done_.notify_all();
    }
  }
}

void WorkerPool::take_items() {
  size_t item = 0;
  try {
    while (!stop_ && (item = next_++) < items_->count) {
      items_->run(item);
    }
  } catch (...) {
    record_failure(item);
  }
}

void WorkerPool::record_failure(size_t item) {
  const std::lock_guard lock(mutex_);
  if (!failure_ || item < failed_item_) {
    failure_ = std::current_exception();
    failed_item_ = item;
  }
  stop_ = true;
}

void run_in_parallel(const ParallelWork& work) {
  const size_t wanted =
      std::min<size_t>(std::max(1, work.threads), std::max<size_t>(1, work.count));
  WorkerPool(static_cast<int>(wanted), work.start_thread).run({work.count, work.run, work.tick});
}

}  // namespace oneshot
