// Items on threads that stay: all are done once, failures and cancelling leave the pool usable.
#include "engine/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>

#include "tests/support/expect_error.h"

namespace oneshot {
namespace {

TEST(WorkerPool, DoesEachItemOnceInEveryRound) {
  std::atomic<int> started{0};
  WorkerPool pool(3, [&] { ++started; });
  for (const size_t count : {0, 1, 2, 100, 7}) {
    std::vector<std::atomic<int>> done(count);
    int ticks = 0;
    const auto tick = [&] {
      ++ticks;
      return true;
    };
    pool.run({count, [&](size_t i) { ++done[i]; }, tick});
    for (const std::atomic<int>& times : done) {
      EXPECT_EQ(times, 1);
    }
    EXPECT_GE(ticks, 1);
  }
  EXPECT_EQ(started, 3);  // not once a round
}

TEST(WorkerPool, ThrowsWhatTheEarliestItemThrew) {
  WorkerPool pool(2, {});
  const auto fail = [](size_t i) { throw std::runtime_error(std::to_string(i)); };
  for (int round = 0; round < 20; ++round) {
    try {
      pool.run({50, fail, {}});
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "0");
    }
  }
  std::atomic<int> done{0};
  pool.run({5, [&](size_t) { ++done; }, {}});
  EXPECT_EQ(done, 5);
}

TEST(WorkerPool, IsCancelledByItsTick) {
  WorkerPool pool(1, {});
  std::atomic<bool> cancelled{false};
  const auto wait = [&](size_t) { cancelled.wait(false); };
  const auto cancel = [&] {
    cancelled = true;
    cancelled.notify_all();
    return false;
  };
  expect_error(ErrorCode::Interrupted, "interrupted; no output was written", [&] {
    pool.run({1000, wait, cancel});
  });
}

TEST(WorkerPool, WaitsForItemsWhenItsTickThrows) {
  WorkerPool pool(2, {});
  std::atomic<bool> may_go{false};
  std::atomic<int> begun{0}, ended{0};
  const auto wait = [&](size_t) {
    ++begun;
    may_go.wait(false);
    ++ended;
  };
  const auto fail = [&]() -> bool {
    may_go = true;
    may_go.notify_all();
    throw std::runtime_error("tick");
  };
  EXPECT_THROW(pool.run({4, wait, fail}), std::runtime_error);
  EXPECT_EQ(begun, ended);
}

}  // namespace
}  // namespace oneshot
