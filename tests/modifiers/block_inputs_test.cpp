// What gradients and importances are made of: inputs and output gradients of all samples.
#include "modifiers/sign_round/block_inputs.h"

#include <gtest/gtest.h>

#include <limits>

#include "modifiers/sign_round/kept_activations.h"
#include "tests/modifiers/tiny_block.h"

namespace oneshot {
namespace {

/// Two Linears of one input, and one of its own. Samples of 2, 3 and 1 tokens.
class Kept : public testing::Test {
 protected:
  Kept() {
    // A batch before, of which nothing may be left.
    kept.begin(3, 4);
    for (size_t linear = 0; linear < 3; ++linear) {
      const double nan = std::numeric_limits<double>::quiet_NaN();
      kept.keep(linear, 3, at::full({6, in(linear)}, nan), at::full({6, out(linear)}, nan));
    }
    kept.begin(3, kTokens.size());
    for (size_t linear = 0; linear < 3; ++linear) {
      expected.push_back(at::zeros({out(linear), in(linear)}));
    }
  }

  static int64_t in(size_t linear) { return linear == 2 ? 2 : 3; }
  static int64_t out(size_t linear) { return 2 + static_cast<int64_t>(linear); }

  void keep(size_t linear, size_t sample) {
    keep(linear, sample, at::randn({kTokens[sample], in(linear)}));
  }

  void keep(size_t linear, size_t sample, const at::Tensor& input) {
    const at::Tensor gradient = at::randn({kTokens[sample], out(linear)});
    kept.keep(linear, sample, input, gradient);
    expected[linear] += at::matmul(gradient.t(), input);
  }

  void expect_gradients() {
    for (size_t linear = 0; linear < 3; ++linear) {
      const at::Tensor rows = kept.weight_gradient(linear, 1, out(linear) - 1);
      EXPECT_TRUE(at::allclose(rows, expected[linear].narrow(0, 1, out(linear) - 1), 1e-5, 1e-6))
          << linear;
      EXPECT_TRUE(at::allclose(
          kept.weight_gradient(linear, 0, 1), expected[linear].narrow(0, 0, 1), 1e-5, 1e-6))
          << linear;
    }
  }

  const std::vector<int64_t> kTokens{2, 3, 1};
  KeptActivations kept;
  std::vector<at::Tensor> expected;
};

TEST_F(Kept, GradientsAreSumsOverSamplesOfDifferentLengths) {
  for (size_t sample = 0; sample < 3; ++sample) {
    const at::Tensor shared = at::randn({kTokens[sample], 3});
    keep(1, sample, shared);  // on the way back the last one comes first
    keep(0, sample, shared);
    keep(2, sample);
  }
  expect_gradients();
}

TEST_F(Kept, SamplesThatSkipALinearAddNothingToIt) {
  keep(0, 0);  // the other Linear of this input is skipped
  keep(1, 1);
  keep(2, 2);
  expect_gradients();
}

TEST_F(Kept, ALinearThatNoSampleWentThroughHasNoGradient) {
  keep(0, 0);
  EXPECT_FALSE(kept.weight_gradient(1, 0, 2).defined());
}

TEST(BlockInputs, MeanSquaresAreOverAllTokens) {
  TinyTuning tuning;
  const std::vector<at::Tensor> means = mean_squares(tuning.tunable(2));
  const at::Tensor tokens = at::cat(tuning.samples.inputs, 1).squeeze(0);
  ASSERT_EQ(tokens.size(0), 48);
  EXPECT_TRUE(at::allclose(means[0], tokens.square().mean(0), 1e-5));
  EXPECT_TRUE(at::equal(means[0], means[1]));
  const at::Tensor middle = at::silu(at::matmul(tokens, tuning.block.gate.weight.t())) *
                            at::matmul(tokens, tuning.block.up.weight.t());
  EXPECT_TRUE(at::allclose(means[2], middle.square().mean(0), 1e-5));
}

}  // namespace
}  // namespace oneshot
