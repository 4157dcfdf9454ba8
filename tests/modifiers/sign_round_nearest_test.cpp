// Scales and nearest codes of SignRound, against values worked out in plain Python from the
// formulas of auto-round, and against a search over float64 values.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "modifiers/sign_round/round_to_nearest.h"

namespace oneshot {
namespace {

Scheme integers(int bits, int64_t group_size, bool symmetric = true) {
  Scheme scheme;
  scheme.weights = {.bits = bits,
                    .strategy = group_size > 0 ? Strategy::Group : Strategy::Channel,
                    .group_size = group_size,
                    .symmetric = symmetric,
                    .scale_dtype = ScaleDtype::F16};
  return scheme;
}

at::Tensor row(const std::vector<float>& values) {
  return at::tensor(values).view({1, -1});
}

void expect_codes(const QuantizedWeight& weight, const std::vector<int64_t>& expected) {
  EXPECT_EQ(weight.codes.scalar_type(), at::kChar);
  EXPECT_TRUE(weight.codes.flatten().to(at::kLong).equal(at::tensor(expected))) << weight.codes;
}

TEST(SignRoundSymmetric, TheLargerEndGetsTheLowestCode) {
  const QuantizedWeight low =
      *sign_round::round_to_nearest(integers(4, 4), row({-1, .5, .25, .75}));
  EXPECT_EQ(low.scale.scalar_type(), at::kHalf);
  EXPECT_EQ(low.scale.item<float>(), 0.125F);
  EXPECT_FALSE(low.zero_point.defined());
  expect_codes(low, {-8, 4, 2, 6});
  const QuantizedWeight high =
      *sign_round::round_to_nearest(integers(4, 4), row({1, -.5, .25, -.75}));
  EXPECT_EQ(high.scale.item<float>(), -0.125F);
  expect_codes(high, {-8, 4, -2, 6});
}

TEST(SignRoundSymmetric, ATieMakesTheScaleNegative) {
  const QuantizedWeight tie =
      *sign_round::round_to_nearest(integers(4, 4), row({1, -1, .0625, .1875}));
  EXPECT_EQ(tie.scale.item<float>(), -0.125F);
  expect_codes(tie, {-8, 7, 0, -2});
}

TEST(SignRoundSymmetric, SmallScalesAreRaisedAndLargeOnesStayFinite) {
  const float smallest = at::scalar_tensor(1e-5, at::kHalf).item<float>();
  const at::Tensor weight =
      at::tensor({0.0F, 0.0F, 1e-9F, -1e-9F, -1e-9F, 0.0F, 9e5F, -9e5F}).view({4, 2});
  const QuantizedWeight found = *sign_round::round_to_nearest(integers(4, 2), weight);
  EXPECT_TRUE(found.scale.flatten()
                  .to(at::kFloat)
                  .equal(at::tensor({smallest, smallest, smallest, -65504.0F})))
      << found.scale;
}

TEST(SignRoundAsymmetric, ZeroPointsAreRoundedOnTheirOwn) {
  // (−0.5 … 1) ÷ 15 in float16 is 0.0999755859375; codes 0, 8, 15, 6 and zero point 5, minus 8.
  const QuantizedWeight both =
      *sign_round::round_to_nearest(integers(4, 4, false), row({-.5, .25, 1, .1}));
  EXPECT_EQ(both.scale.item<float>(), 0.0999755859375F);
  EXPECT_EQ(both.zero_point.item<int>(), 5 - 8);
  expect_codes(both, {0 - 8, 8 - 8, 15 - 8, 6 - 8});
  const QuantizedWeight positive =
      *sign_round::round_to_nearest(integers(4, 4, false), row({.5, .25, 1, .1}));
  EXPECT_EQ(positive.scale.item<float>(), 0.066650390625F);
  EXPECT_EQ(positive.zero_point.item<int>(), 0 - 8);
  expect_codes(positive, {8 - 8, 4 - 8, 15 - 8, 2 - 8});
}

TEST(SignRoundAsymmetric, AHalfIsRoundedBeforeTheZeroPointIsAdded) {
  // scale 0.5, zero point 5: 1.25 ÷ 0.5 = 2.5 → 2, and 2 + 5 = 7; rounding 7.5 would give 8.
  const QuantizedWeight found =
      *sign_round::round_to_nearest(integers(4, 4, false), row({-2.5, 5, 1.25, 0}));
  EXPECT_EQ(found.scale.item<float>(), 0.5F);
  expect_codes(found, {0 - 8, 15 - 8, 7 - 8, 5 - 8});
}

/// round(w ÷ scale) + zero point in float64, clamped.
at::Tensor codes_by_formula(const QuantizedWeight& found, const at::Tensor& weight, int64_t group) {
  const int bits = found.scheme.weights.bits;
  const int64_t columns = weight.size(1);
  const auto wide = [&](const at::Tensor& values) {
    return values.to(at::kDouble).repeat_interleave(group, 1).narrow(1, 0, columns);
  };
  // The quotient is rounded to float32 first, as the peer's.
  at::Tensor codes = (weight.to(at::kDouble) / wide(found.scale)).to(at::kFloat).round();
  if (found.zero_point.defined()) {
    codes = codes + wide(found.zero_point);
  }
  return codes.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1).to(at::kChar);
}

TEST(SignRound, EveryWidthFollowsTheFormulaAlsoInPartialGroups) {
  const at::Generator generator = at::detail::createCPUGenerator(3);
  const at::Tensor weight = (at::randn({17, 150}, generator, at::kFloat) + 0.3).to(at::kBFloat16);
  for (int bits = 2; bits <= 8; ++bits) {
    for (const bool symmetric : {true, false}) {
      for (const int64_t group : {32, 0}) {
        const QuantizedWeight found =
            *sign_round::round_to_nearest(integers(bits, group, symmetric), weight);
        const int64_t columns = group == 0 ? 150 : group;
        EXPECT_EQ(found.scale.size(1), (150 + columns - 1) / columns);
        EXPECT_TRUE(found.codes.equal(codes_by_formula(found, weight, columns)))
            << bits << symmetric << group;
        // Half a step; a whole one at the clamped end, and what bfloat16 rounds the range by.
        const at::Tensor step = found.scale.to(at::kFloat).abs().repeat_interleave(columns, 1);
        const at::Tensor error = (dequantize(found) - weight.to(at::kFloat)).abs();
        EXPECT_LE((error / step.narrow(1, 0, 150)).max().item<float>(),
                  1 + std::ldexp(1.0F, bits - 8));
      }
    }
  }
}

TEST(SignRoundFloat4, TheExponentIsTheFloor) {
  Scheme scheme = *find_preset("MXFP4");
  at::Tensor weight = at::zeros({4, 32}, at::kBFloat16);
  weight[0][3] = 7.0;      // floor(log2 7) = 2: scale 2^0, and 7 becomes the largest value, 6
  weight[1][3] = -0.4375;  // floor = −2: scale 2^−4, −7 → −6
  weight[2][3] = 8.0;      // floor = 3: scale 2^1, 4
  const QuantizedWeight found = *sign_round::round_to_nearest(scheme, weight);
  EXPECT_TRUE(found.scale.flatten().equal(
      at::tensor({127, 127 - 4, 128, 126}, at::kByte)));  // a group of zeros: 2^−1
  EXPECT_EQ(found.codes[0][3].item<int>(), 7);
  EXPECT_EQ(found.codes[1][3].item<int>(), 15);
  EXPECT_EQ(found.codes[2][3].item<int>(), 6);
}

TEST(SignRound, ValuesThatAreNotFiniteAreReported) {
  at::Tensor weight = at::ones({2, 64}, at::kBFloat16);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    weight[1][40] = bad;
    EXPECT_FALSE(sign_round::round_to_nearest(integers(4, 32), weight)) << bad;
    EXPECT_FALSE(sign_round::round_to_nearest(*find_preset("MXFP4"), weight)) << bad;
  }
}

}  // namespace
}  // namespace oneshot
