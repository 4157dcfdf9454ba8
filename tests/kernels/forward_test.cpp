// The steps of a forward pass equal the reference within rounding, on every instruction set that is
// here, for columns that do and do not fill whole vectors, and for rows that lie apart.
#include "tests/kernels/every_target.h"

namespace oneshot::kernels {
namespace {

constexpr at::ScalarType kDtypes[] = {at::kFloat, at::kBFloat16};

at::Tensor random(at::IntArrayRef shape, at::ScalarType dtype) {
  static const at::Generator generator = at::detail::createCPUGenerator(11);
  return at::randn(shape, generator, at::kFloat).to(dtype);
}

/// Float32 within a few units in the last place, bfloat16 within two of its steps.
void expect_close(const at::Tensor& found, const at::Tensor& expected) {
  ASSERT_EQ(found.sizes(), expected.sizes());
  ASSERT_EQ(found.scalar_type(), expected.scalar_type());
  const double step = expected.scalar_type() == at::kFloat ? 2e-6 : 0x1p-7;
  EXPECT_TRUE(at::allclose(found.to(at::kFloat), expected.to(at::kFloat), step, step))
      << (found.to(at::kFloat) - expected.to(at::kFloat)).abs().max();
}

TEST(Forward, RmsNorm) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t columns : {1, 7, 24, 64, 576}) {
      const at::Tensor x = random({2, 3, columns}, dtype);
      const at::Tensor weight = random({columns}, dtype);
      const at::Tensor expected = reference_kernels().rms_norm(x, weight, 1e-5);
      on_every_target(
          [&](const KernelTable& cpu) { expect_close(cpu.rms_norm(x, weight, 1e-5), expected); });
    }
  }
}

TEST(Forward, SiluMultiply) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t columns : {1, 7, 24, 64}) {
      const at::Tensor both = random({2, 5, 2 * columns}, dtype) * 20;
      const std::vector<at::Tensor> parts = both.chunk(2, -1);  // rows that lie apart
      const at::Tensor expected = reference_kernels().silu_multiply(parts[0], parts[1]);
      on_every_target([&](const KernelTable& cpu) {
        expect_close(cpu.silu_multiply(parts[0], parts[1]), expected);
      });
    }
  }
}

TEST(Forward, SiluOfLargeNumbers) {
  const at::Tensor gate =
      at::tensor({-1000.0F, -90.0F, 0.0F, 90.0F, 1000.0F, INFINITY}).view({1, 6});
  const at::Tensor expected = at::tensor({0.0F, 0.0F, 0.0F, 90.0F, 1000.0F, INFINITY}).view({1, 6});
  on_every_target([&](const KernelTable& cpu) {
    for (const at::ScalarType dtype : kDtypes) {  // bfloat16 holds all of these
      const at::Tensor one = at::ones({1, 6}, dtype);
      const at::Tensor found = cpu.silu_multiply(gate.to(dtype), one).to(at::kFloat);
      EXPECT_TRUE(at::allclose(found, expected, 1e-6, 1e-30));
      const at::Tensor nan = at::full({1, 6}, NAN, dtype);
      EXPECT_TRUE(cpu.silu_multiply(nan, nan).isnan().all().item<bool>());
    }
  });
}

TEST(Forward, RotateHeads) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t rotated : {2, 6, 16, 64}) {
      const at::Tensor wide = random({2, 5, 4, 80}, dtype);
      const at::Tensor x = wide.narrow(2, 1, 3).narrow(3, 0, 64);  // heads that lie apart
      const at::Tensor angle = random({1, 5, rotated}, at::kFloat);
      const at::Tensor cosine = angle.cos().to(dtype);
      const at::Tensor sine = angle.sin().to(dtype);
      const at::Tensor expected = reference_kernels().rotate_heads(x, cosine, sine);
      on_every_target([&](const KernelTable& cpu) {
        expect_close(cpu.rotate_heads(x, cosine, sine), expected);
      });
    }
  }
}

TEST(Forward, CausalSoftmax) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const auto& [first, period] : {std::pair{0, 1}, {0, 5}, {3, 7}, {61, 4}, {20, 1}}) {
      const at::Tensor scores = random({2, 3, period, first + period}, dtype) * 30;
      const CausalRows rows{period, first, 0.125};
      at::Tensor expected = scores.clone();
      at::Tensor expected_sums = at::empty({6 * period}), sums = at::empty({6 * period});
      reference_kernels().causal_softmax(expected, rows, expected_sums);
      on_every_target([&](const KernelTable& cpu) {
        at::Tensor found = scores.clone();
        cpu.causal_softmax(found, rows, sums);
        expect_close(found, expected);
        expect_close(sums, expected_sums);
      });
    }
  }
}

}  // namespace
}  // namespace oneshot::kernels
