// The ways back through the steps of a forward pass against autograd through the reference, in
// float32 on the same numbers: on every instruction set that is here, for columns that do and do
// not fill whole vectors, and for rows that lie apart.
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>

#include "tests/kernels/every_target.h"

namespace oneshot::kernels {
namespace {

constexpr at::ScalarType kDtypes[] = {at::kFloat, at::kBFloat16};

at::Tensor random(at::IntArrayRef shape, at::ScalarType dtype) {
  static const at::Generator generator = at::detail::createCPUGenerator(12);
  return at::randn(shape, generator, at::kFloat).to(dtype);
}

at::Tensor leaf(const at::Tensor& tensor) {
  return tensor.detach().to(at::kFloat).clone().requires_grad_();
}

/// The gradients of the sum of grad · output.
std::vector<at::Tensor> gradients(const at::Tensor& output,
                                  const std::vector<at::Tensor>& inputs,
                                  const at::Tensor& grad) {
  return torch::autograd::grad({output}, inputs, {grad.to(output.scalar_type())});
}

/// Float32 within a few units in the last place of the largest one, bfloat16 within one of its
/// steps, and a share of the largest one where terms cancel.
void expect_close(const at::Tensor& found, const at::Tensor& expected, at::ScalarType dtype) {
  ASSERT_EQ(found.sizes(), expected.sizes());
  ASSERT_EQ(found.scalar_type(), dtype);
  const double largest = expected.abs().max().item<double>();
  const double step = dtype == at::kFloat ? 4e-6 : 0x1p-7;
  const double least = dtype == at::kFloat ? 1e-6 : 0x1p-10;
  EXPECT_TRUE(at::allclose(found.to(at::kFloat), expected, step, least * largest))
      << (found.to(at::kFloat) - expected).abs().max() << " of " << largest;
}

TEST(Backward, SquaredErrors) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t columns : {7, 24, 64, 576}) {
      const at::Tensor output = random({5, columns}, dtype), target = random({5, columns}, dtype);
      const at::Tensor wanted = leaf(output);
      const at::Tensor weights = at::rand({5}, at::detail::createCPUGenerator(3)) + 0.5;
      weights[2] = 0;
      const at::Tensor rows = weights.unsqueeze(1);
      const at::Tensor sum = (rows * (wanted - target.to(at::kFloat))).square().sum();
      const at::Tensor expected = gradients(sum, {wanted}, at::full({}, 0.25))[0];
      on_every_target([&](const KernelTable& cpu) {
        const SquaredErrors found = cpu.squared_errors(output, target, weights, 0.25);
        expect_close(found.gradient, expected, dtype);
        EXPECT_NEAR(found.sum, sum.item<double>(), 1e-5 * sum.item<double>());
        EXPECT_TRUE(at::equal(found.gradient[2], at::zeros({columns}, dtype)));
      });
    }
  }
}

TEST(Backward, SquaredErrorsWithoutWeightsByHand) {
  const at::Tensor output = at::tensor({1.0, 2.0, 3.0, 5.0}, at::kFloat).view({2, 2});
  const at::Tensor target = at::tensor({0.0, 2.0, 5.0, 4.0}, at::kFloat).view({2, 2});
  const SquaredErrors found = squared_errors(output, target, {}, 0.5);
  EXPECT_EQ(found.sum, 1 + 4 + 1);
  EXPECT_TRUE(at::equal(found.gradient, output - target));
}

TEST(Backward, RmsNorm) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t columns : {7, 24, 64, 80, 576}) {
      const at::Tensor x = random({2, 3, columns}, dtype), weight = random({columns}, dtype);
      const at::Tensor grad = random(x.sizes(), dtype), input = leaf(x);
      const at::Tensor output = reference_kernels().rms_norm(input, weight.to(at::kFloat), 1e-5);
      const at::Tensor expected = gradients(output, {input}, grad)[0];
      on_every_target([&](const KernelTable& cpu) {
        expect_close(cpu.rms_norm_backward(grad, x, weight, 1e-5), expected, dtype);
      });
    }
  }
}

TEST(Backward, SiluMultiply) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t columns : {1, 7, 24, 64}) {
      const at::Tensor both = random({2, 5, 2 * columns}, dtype) * 4;
      const std::vector<at::Tensor> parts = both.chunk(2, -1);  // rows that lie apart
      const at::Tensor grad = random({2, 5, columns}, dtype);
      const at::Tensor gate = leaf(parts[0]), up = leaf(parts[1]);
      const std::vector<at::Tensor> expected =
          gradients(reference_kernels().silu_multiply(gate, up), {gate, up}, grad);
      on_every_target([&](const KernelTable& cpu) {
        const GateGradients found = cpu.silu_multiply_backward(grad, parts[0], parts[1]);
        expect_close(found.gate, expected[0], dtype);
        expect_close(found.up, expected[1], dtype);
      });
    }
  }
}

TEST(Backward, SiluOfLargeNumbers) {
  const at::Tensor gate = at::tensor({-1000.0F, -90.0F, 0.0F, 90.0F, 1000.0F}).view({1, 5});
  const at::Tensor one = at::ones({1, 5});
  const at::Tensor to_gate = at::tensor({0.0F, 0.0F, 0.5F, 1.0F, 1.0F}).view({1, 5});
  const at::Tensor to_up = at::tensor({0.0F, 0.0F, 0.0F, 90.0F, 1000.0F}).view({1, 5});
  on_every_target([&](const KernelTable& cpu) {
    for (const at::ScalarType dtype : kDtypes) {  // bfloat16 holds all of these
      const GateGradients found =
          cpu.silu_multiply_backward(one.to(dtype), gate.to(dtype), one.to(dtype));
      EXPECT_TRUE(at::allclose(found.gate.to(at::kFloat), to_gate, 1e-6, 1e-30));
      EXPECT_TRUE(at::allclose(found.up.to(at::kFloat), to_up, 1e-6, 1e-30));
    }
  });
}

TEST(Backward, RotateHeads) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t rotated : {2, 6, 16, 64, 80}) {
      const at::Tensor cosine = random({1, 5, rotated}, dtype),
                       sine = random({1, 5, rotated}, dtype);
      const at::Tensor wide = random({2, 5, 4, 96}, dtype);
      const at::Tensor grad = wide.narrow(3, 0, 80).transpose(1, 2);  // heads that lie apart
      const at::Tensor x = leaf(random({2, 5, 4, 80}, dtype));
      const at::Tensor output =
          reference_kernels().rotate_heads(x, cosine.to(at::kFloat), sine.to(at::kFloat));
      const at::Tensor expected = gradients(output, {x}, grad)[0];
      on_every_target([&](const KernelTable& cpu) {
        const at::Tensor found = cpu.rotate_heads_backward(grad, cosine, sine);
        EXPECT_TRUE(found.is_contiguous());
        expect_close(found, expected, dtype);
      });
    }
  }
}

// What the front functions give where a gradient is asked for: the kernels' values, and their ways
// back.
TEST(Backward, FrontFunctions) {
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor x = random({2, 3, 4, 16}, dtype).requires_grad_();
    const at::Tensor up = random({2, 3, 4, 16}, dtype).requires_grad_();
    const at::Tensor weight = random({16}, dtype), angle = random({1, 3, 8}, dtype);
    const at::Tensor x_leaf = leaf(x), up_leaf = leaf(up);
    const auto compare = [&](const at::Tensor& found, const at::Tensor& expected, bool both) {
      EXPECT_NE(found.grad_fn()->name().find("Function"), std::string::npos);
      expect_close(found.detach(), expected.detach(), dtype);
      const at::Tensor grad = random(found.sizes(), dtype).transpose(0, 1).contiguous();
      const at::Tensor strided = grad.transpose(0, 1);
      const auto results =
          both ? gradients(found, {x, up}, strided) : gradients(found, {x}, strided);
      const auto wanted = both ? gradients(expected, {x_leaf, up_leaf}, strided)
                               : gradients(expected, {x_leaf}, strided);
      for (size_t i = 0; i < results.size(); ++i) {
        expect_close(results[i], wanted[i], dtype);
      }
    };
    const KernelTable& reference = reference_kernels();
    const at::Tensor plain_weight = weight.to(at::kFloat), plain_angle = angle.to(at::kFloat);
    compare(rms_norm(x, weight, 1e-6), reference.rms_norm(x_leaf, plain_weight, 1e-6), false);
    compare(silu_multiply(x, up), reference.silu_multiply(x_leaf, up_leaf), true);
    compare(rotate_heads(x, angle, angle),
            reference.rotate_heads(x_leaf, plain_angle, plain_angle),
            false);
  }
}

// The reference's own ways back, which rounds each step where the kernels do not.
TEST(Backward, Reference) {
  const KernelTable& reference = reference_kernels();
  const at::Tensor x = leaf(random({2, 3, 4, 16}, at::kFloat));
  const at::Tensor up = leaf(random({2, 3, 4, 16}, at::kFloat));
  const at::Tensor weight = random({16}, at::kFloat), angle = random({1, 3, 8}, at::kFloat);
  const at::Tensor grad = random({2, 3, 4, 16}, at::kFloat);
  expect_close(reference.rms_norm_backward(grad, x.detach(), weight, 1e-5),
               gradients(reference.rms_norm(x, weight, 1e-5), {x}, grad)[0],
               at::kFloat);
  const auto expected = gradients(reference.silu_multiply(x, up), {x, up}, grad);
  const GateGradients found = reference.silu_multiply_backward(grad, x.detach(), up.detach());
  expect_close(found.gate, expected[0], at::kFloat);
  expect_close(found.up, expected[1], at::kFloat);
  const at::Tensor turned = grad.transpose(1, 2);
  expect_close(reference.rotate_heads_backward(turned, angle, angle.cos()),
               gradients(reference.rotate_heads(x, angle, angle.cos()), {x}, turned)[0],
               at::kFloat);
}

TEST(Backward, CausalSoftmax) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const auto& [first, period] : {std::pair{0, 1}, {0, 5}, {3, 7}, {61, 4}, {20, 2}}) {
      const CausalRows rows{period, first, 0.125};
      const at::Tensor scores = random({2, 3, period, first + period}, dtype) * 10;
      const at::Tensor grad = random(scores.sizes(), dtype), input = leaf(scores);
      const at::Tensor hidden = at::ones({period, first + period}, at::kBool).triu(first + 1);
      const at::Tensor seen = (input * 0.125).masked_fill(hidden, -INFINITY);
      const at::Tensor expected = at::softmax(seen, -1);
      const at::Tensor log_sums = at::logsumexp(seen, -1).detach().contiguous();
      const at::Tensor wanted = gradients(expected, {input}, grad)[0];
      const auto compare = [&](const KernelTable& table) {
        at::Tensor found = scores.clone(), found_grad = grad.clone();
        table.causal_softmax_backward(found, found_grad, rows, log_sums);
        expect_close(found, expected.detach(), dtype);
        EXPECT_LT((found_grad.to(at::kFloat) - wanted).abs().max().item<double>(),
                  dtype == at::kFloat ? 1e-6 : 0x1p-9);
      };
      on_every_target(compare);
      compare(reference_kernels());
    }
  }
}

// A norm whose weight is tuned too has both gradients.
TEST(Backward, WeightOfANorm) {
  const at::Tensor x = random({3, 8}, at::kFloat).requires_grad_();
  const at::Tensor weight = random({8}, at::kFloat).requires_grad_();
  const std::vector<at::Tensor> found =
      gradients(rms_norm(x, weight, 1e-5), {x, weight}, at::ones({3, 8}));
  const at::Tensor normed = x.detach() / (x.detach().square().mean(-1, true) + 1e-5).sqrt();
  EXPECT_TRUE(at::allclose(found[1], normed.sum(0), 1e-5, 1e-5));
}

}  // namespace
}  // namespace oneshot::kernels
