// Causal attention and its way back against the formula and autograd through it, in float32 on the
// same numbers: lengths that do and do not go up in the ranges and tiles of queries, heads that
// share keys, and the sizes of heads that families have.
#include "engine/models/causal_attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

namespace oneshot {
namespace {

struct Shape {
  int64_t batch, heads, key_heads, tokens, head_dim;
};

at::Tensor random(at::IntArrayRef shape) {
  static const at::Generator generator = at::detail::createCPUGenerator(13);
  return at::randn(shape, generator, at::kFloat);
}

/// softmax(query · keyᵀ ÷ √head_dim, of what lies before) · value, all of it at once.
at::Tensor formula(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  const int64_t shared = query.size(1) / key.size(1);
  const at::Tensor keys = key.repeat_interleave(shared, 1);
  const at::Tensor values = value.repeat_interleave(shared, 1);
  const at::Tensor scores =
      at::matmul(query, keys.transpose(2, 3)) / std::sqrt(static_cast<double>(query.size(3)));
  const at::Tensor hidden =
      at::ones({query.size(2), key.size(2)}, at::kBool).triu(key.size(2) - query.size(2) + 1);
  return at::matmul(at::softmax(scores.masked_fill(hidden, -INFINITY), -1), values);
}

/// The largest difference, as a share of the largest number; of a single token that of 0.1, because
/// its scores have no gradient.
double difference(const at::Tensor& found, const at::Tensor& expected) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  return (found.to(at::kFloat) - expected).abs().max().item<double>() /
         std::max(expected.abs().max().item<double>(), 0.1);
}

class CausalAttention : public testing::TestWithParam<Shape> {
 protected:
  /// query, key, value, as a decoder has them: values lie apart.
  static std::vector<at::Tensor> inputs(at::ScalarType dtype) {
    const auto [batch, heads, key_heads, tokens, head_dim] = GetParam();
    return {random({batch, heads, tokens, head_dim}).to(dtype),
            random({batch, key_heads, tokens, head_dim}).to(dtype),
            random({batch, tokens, key_heads, head_dim}).to(dtype).transpose(1, 2)};
  }

  static void compare(at::ScalarType dtype, double tolerance) {
    std::vector<at::Tensor> ours, plain;
    for (const at::Tensor& input : inputs(dtype)) {
      ours.push_back(input.detach().requires_grad_());
      plain.push_back(input.to(at::kFloat).clone().requires_grad_());
    }
    const at::Tensor found = causal_attention(ours[0], ours[1], ours[2]);
    const at::Tensor expected = formula(plain[0], plain[1], plain[2]);
    EXPECT_TRUE(found.transpose(1, 2).is_contiguous());
    EXPECT_LT(difference(found, expected), tolerance);
    const at::Tensor grad = random(found.sizes()).to(dtype);
    const auto gradients = torch::autograd::grad({found}, ours, {grad});
    const auto wanted = torch::autograd::grad({expected}, plain, {grad.to(at::kFloat)});
    for (size_t i = 0; i < gradients.size(); ++i) {
      EXPECT_EQ(gradients[i].scalar_type(), dtype);
      EXPECT_LT(difference(gradients[i], wanted[i]), tolerance) << "of input " << i;
    }
    const at::AutoGradMode no_grad(false);
    EXPECT_TRUE(causal_attention(ours[0], ours[1], ours[2]).equal(found));
  }
};

TEST_P(CausalAttention, Float32) {
  compare(at::kFloat, 5e-6);
}

// Half a step of bfloat16 is 2^-9 of a number; probabilities and sums are rounded too.
TEST_P(CausalAttention, BFloat16) {
  compare(at::kBFloat16, 0x1p-6);
}

INSTANTIATE_TEST_SUITE_P(Shapes,
                         CausalAttention,
                         testing::Values(Shape{1, 9, 3, 512, 64},
                                         Shape{2, 4, 1, 192, 80},
                                         Shape{1, 4, 4, 128, 128},
                                         Shape{2, 6, 2, 64, 16},
                                         Shape{2, 4, 1, 300, 64},
                                         Shape{1, 3, 3, 129, 80},
                                         Shape{1, 4, 2, 1, 32},
                                         Shape{3, 2, 1, 5, 8}));

// Tokens that a cache holds come before those of the query.
TEST(CausalAttentionBehindACache, Gradients) {
  const at::Tensor query = random({1, 4, 70, 16}).requires_grad_();
  const at::Tensor key = random({1, 2, 200, 16}).requires_grad_();
  const at::Tensor value = random({1, 2, 200, 16}).requires_grad_();
  const at::Tensor found = causal_attention(query, key, value);
  const at::Tensor expected = formula(query, key, value);
  EXPECT_LT(difference(found, expected), 5e-6);
  const at::Tensor grad = random(found.sizes());
  const auto gradients = torch::autograd::grad({found}, {query, key, value}, {grad});
  const auto wanted = torch::autograd::grad({expected}, {query, key, value}, {grad});
  for (size_t i = 0; i < gradients.size(); ++i) {
    EXPECT_LT(difference(gradients[i], wanted[i]), 5e-6) << "of input " << i;
  }
}

}  // namespace
}  // namespace oneshot
