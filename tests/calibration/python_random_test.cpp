// The values are Python's: random.seed(42), then random.shuffle(list(range(n))).
#include "engine/calibration/python_random.h"

#include <gtest/gtest.h>

#include <numeric>

namespace oneshot {
namespace {

using Batch = std::vector<size_t>;

TEST(PythonRandom, ShufflesAsPythonDoes) {
  Batch values(16);
  std::iota(values.begin(), values.end(), 0);
  PythonRandom(42).shuffle(values);
  EXPECT_EQ(values, (Batch{7, 9, 5, 6, 14, 10, 12, 8, 1, 2, 13, 15, 4, 11, 0, 3}));
}

TEST(BatchSampler, TakesBatchesInPythonsOrder) {
  BatchSampler sampler(42, 128, 8);
  EXPECT_EQ(sampler.next(), (Batch{9, 92, 102, 76, 49, 16, 62, 103}));
  EXPECT_EQ(sampler.next(), (Batch{104, 82, 47, 21, 30, 118, 32, 50}));
  EXPECT_EQ(sampler.next(), (Batch{63, 123, 96, 18, 74, 2, 66, 80}));
  for (int i = 3; i < 15; ++i) {
    sampler.next();
  }
  EXPECT_EQ(sampler.next(), (Batch{125, 17, 127, 31, 35, 94, 3, 28}));
  EXPECT_EQ(sampler.next(), (Batch{84, 89, 5, 35, 127, 97, 82, 81}));
}

TEST(BatchSampler, GoesOnWhereTheBlockBeforeEnded) {
  BatchSampler sampler(42, 128, 8);
  sampler.skip_block(200);
  EXPECT_EQ(sampler.next(), (Batch{61, 3, 114, 105, 100, 127, 97, 92}));
}

}  // namespace
}  // namespace oneshot
