// Drawing tokens, by hand: the numbers of std::mt19937_64 are fixed by the C++ standard.
#include "engine/evaluate/sampler.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/expect_error.h"

namespace oneshot {
namespace {

// The first number of std::mt19937_64 with this seed is 14514284786278117030: 0.78682 of 2^64.
constexpr uint64_t kSeed = 5489;

const std::array<float, 3> kLogits{std::log(0.3F), std::log(0.5F), std::log(0.2F)};

int32_t first_of(const SamplingOptions& options) {
  return Sampler(options).next(kLogits);
}

TEST(Sampler, TakesTheLikeliestAndOfEqualsTheFirst) {
  EXPECT_EQ(first_of({}), 1);
  const std::array<float, 3> equal{0, 2, 2};
  EXPECT_EQ(Sampler({}).next(equal), 1);
}

TEST(Sampler, AFractionPicksInTheOrderOfProbability) {
  // 0.787 lies in 0.5 … 0.8: the second likeliest.
  EXPECT_EQ(first_of({.temperature = 1, .seed = kSeed}), 0);
  // Temperature 0.5 squares the odds: 25 : 9 : 4, 0.787 lies in 0.658 … 0.895.
  EXPECT_EQ(first_of({.temperature = 0.5, .seed = kSeed}), 0);
  // Temperature 0.25: 625 : 81 : 16, 0.787 lies below 0.866.
  EXPECT_EQ(first_of({.temperature = 0.25, .seed = kSeed}), 1);
}

TEST(Sampler, LimitsLeaveTheLikeliest) {
  EXPECT_EQ(first_of({.temperature = 1, .top_k = 1, .seed = kSeed}), 1);
  EXPECT_EQ(first_of({.temperature = 1, .top_p = 0.4, .seed = kSeed}), 1);
  // 0.5 and 0.3 reach 0.7 together, as 0.625 and 0.375.
  EXPECT_EQ(first_of({.temperature = 1, .top_p = 0.7, .seed = kSeed}), 0);
  EXPECT_EQ(first_of({.temperature = 1, .top_k = 100, .seed = kSeed}), 0);
}

TEST(Sampler, DrawsAsOftenAsTheProbabilitySays) {
  Sampler sampler({.temperature = 1, .seed = 7});
  std::array<int, 3> counts{};
  for (int i = 0; i < 10'000; ++i) {
    ++counts[static_cast<size_t>(sampler.next(kLogits))];
  }
  EXPECT_NEAR(counts[0], 3000, 150);  // three standard deviations
  EXPECT_NEAR(counts[1], 5000, 150);
  EXPECT_NEAR(counts[2], 2000, 150);
}

TEST(Sampler, TheSeedDecides) {
  const auto draw = [](uint64_t seed) {
    Sampler sampler({.temperature = 1, .seed = seed});
    std::vector<int32_t> ids;
    for (int i = 0; i < 50; ++i) {
      ids.push_back(sampler.next(kLogits));
    }
    return ids;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Sampler, RefusesWhatIsNoNumber) {
  const std::array<float, 2> logits{0, std::numeric_limits<float>::quiet_NaN()};
  expect_error(ErrorCode::Failed,
               "the model gives a logit that is not a number; are the weights damaged?",
               [&] { Sampler({}).next(logits); });
}

}  // namespace
}  // namespace oneshot
