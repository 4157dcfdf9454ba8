// Ranges of activations by hand, in whatever order the samples come.
#include "engine/calibration/observer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace oneshot {
namespace {

QuantArgs int8_inputs(const std::string& observer) {
  return {.bits = 8, .symmetric = false, .observer = observer};
}

/// What is found of these samples, seen from the last to the first.
std::pair<double, double> range_of(const std::string& observer,
                                   const std::vector<at::Tensor>& samples) {
  const auto found = make_observer(int8_inputs(observer), samples.size());
  for (size_t i = samples.size(); i > 0; --i) {
    found->see(i - 1, samples[i - 1]);
  }
  return {found->range().min.item<double>(), found->range().max.item<double>()};
}

TEST(Observer, StaticMinMaxSeesAllSamples) {
  const auto [min, max] =
      range_of("static_minmax", {at::tensor({-1.0F, 2.0F}), at::tensor({-3.0F, 1.0F})});
  EXPECT_EQ(min, -3);
  EXPECT_EQ(max, 2);
}

TEST(Observer, MovingAverageBeginsWithTheFirstSample) {
  const auto [min, max] =
      range_of("minmax", {at::tensor({-1.0F, 2.0F}), at::tensor({-3.0F, 12.0F})});
  EXPECT_NEAR(min, -1 * 0.99 - 3 * 0.01, 1e-6);
  EXPECT_NEAR(max, 2 * 0.99 + 12 * 0.01, 1e-6);
}

TEST(Observer, MseGivesUpAnOutlierForTheMany) {
  // One value of 100 beside 100,000 that lie halfway between two codes of its range; a narrower
  // one serves them better.
  at::Tensor values = at::full({100001}, 0.5 * 100 / 255);
  values[0] = 100;
  const auto [min, max] = range_of("mse", {values});
  EXPECT_NEAR(min / (0.5 * 100 / 255), max / 100, 1e-5);  // both shrink by the same share
  EXPECT_LT(max, 100);
  EXPECT_GE(max, 81 - 1e-4);
}

TEST(Observer, PercentileLeavesOutTheFarthest) {
  at::Tensor values = at::full({30000}, 1.0F);
  values[0] = -1000;
  values[1] = 500;
  values[2] = -0.5;
  const auto [min, max] = range_of("percentile", {values});
  EXPECT_EQ(min, -1);  // as far as what is kept reaches, though only -0.5 is there
  EXPECT_EQ(max, 1);
}

TEST(Observer, SamplesWithoutTokensDoNotCount) {
  const auto [min, max] = range_of("minmax", {at::empty({0, 4}), at::tensor({-1.0F, 2.0F})});
  EXPECT_EQ(min, -1);
  EXPECT_EQ(max, 2);
}

TEST(Observer, ThatIsNotThereIsRefused) {
  expect_error(ErrorCode::Unsupported,
               "observer kl is not there for activations of this scheme",
               [] { make_observer(int8_inputs("kl"), 1); });
}

}  // namespace
}  // namespace oneshot
