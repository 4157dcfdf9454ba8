// A Linear that computes with other values than its own: products and gradients by their formulas,
// with the values as they are and packed.
#include "engine/graph/tuned_linear.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "engine/kernels/packed_product.h"

namespace oneshot {
namespace {

/// x [1, 6, 32] → [1, 6, 48], with a bias.
class TunedLinear : public testing::TestWithParam<bool> {
 protected:
  TunedLinear() {
    at::manual_seed(3);
    values = at::randn({48, 32}).to(at::kBFloat16);
    bias = at::randn({48}).to(at::kBFloat16);
    input = at::randn({1, 6, 32}).to(at::kBFloat16);
    gradient = at::randn({1, 6, 48}).to(at::kBFloat16);
    pass.collect = [this](const at::Tensor& x, const at::Tensor& dy) {
      collected.emplace_back(x, dy);
    };
    if (!GetParam()) {
      pass.values = values;
    } else if (kernels::can_pack(values)) {
      pass.packed = kernels::packed(values);
      pass.packed_transposed = kernels::packed(values.t().contiguous());
    }
  }

  void SetUp() override {
    if (GetParam() && !kernels::can_pack(values)) {
      GTEST_SKIP() << "the processor does not multiply bfloat16";
    }
  }

  static void expect_close(const at::Tensor& found, const at::Tensor& expected) {
    EXPECT_TRUE(at::allclose(found.to(at::kFloat), expected, 0x1p-7, 0.02));
  }

  /// The rows, and zeros behind them up to a whole step of 32.
  static void expect_rows(const at::Tensor& found, const at::Tensor& expected) {
    ASSERT_EQ(found.size(0), 32);
    EXPECT_TRUE(at::equal(found.narrow(0, 0, expected.size(0)), expected));
    EXPECT_EQ(
        found.narrow(0, expected.size(0), 32 - expected.size(0)).count_nonzero().item<int64_t>(),
        0);
  }

  at::Tensor values, bias, input, gradient;
  TunedPass pass;
  std::vector<std::pair<at::Tensor, at::Tensor>> collected;
};

TEST_P(TunedLinear, GivesItsInputAGradientAndCollectsWhatTheValuesNeed) {
  const at::Tensor leaf = input.clone().requires_grad_();
  const at::Tensor output = tuned_linear(leaf, pass, bias);
  const at::Tensor exact = values.to(at::kFloat);
  expect_close(output.detach(), at::matmul(input.to(at::kFloat), exact.t()) + bias.to(at::kFloat));
  const at::Tensor to_input = torch::autograd::grad({output}, {leaf}, {gradient})[0];
  expect_close(to_input, at::matmul(gradient.to(at::kFloat), exact));
  ASSERT_EQ(collected.size(), 1u);
  expect_rows(collected[0].first, input[0]);
  expect_rows(collected[0].second, gradient[0]);
  EXPECT_TRUE(pass.input_asks);
}

TEST_P(TunedLinear, CollectsWhereTheInputAsksForNothing) {
  const at::Tensor output = tuned_linear(input, pass, {});
  torch::autograd::backward({output}, {gradient});
  ASSERT_EQ(collected.size(), 1u);
  expect_rows(collected[0].second, gradient[0]);
  EXPECT_FALSE(pass.input_asks);
}

INSTANTIATE_TEST_SUITE_P(AsTheyAreAndPacked, TunedLinear, testing::Bool());

}  // namespace
}  // namespace oneshot
