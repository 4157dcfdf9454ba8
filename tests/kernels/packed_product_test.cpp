// Products of packed weights against those of the weights themselves, in float32.
#include "engine/kernels/packed_product.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/kernels/processor.h"

namespace oneshot::kernels {
namespace {

at::Tensor random(at::IntArrayRef shape) {
  static const at::Generator generator = at::detail::createCPUGenerator(5);
  return at::randn(shape, generator, at::kFloat).to(at::kBFloat16);
}

TEST(PackedProduct, OnlyOfBFloat16) {
  EXPECT_FALSE(can_pack(at::zeros({4, 4}, at::kFloat)));
  EXPECT_FALSE(can_pack(at::zeros({4, 4}, at::kHalf)));
}

TEST(PackedProduct, IsTheProductForAnyNumberOfRows) {
  if (!has_bfloat16_products()) {
    GTEST_SKIP() << "the processor does not multiply bfloat16";
  }
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{576, 192}, {33, 70}, {1, 8}}) {
    const at::Tensor weight = random({out, in}), bias = random({out});
    const at::Tensor ready = packed(weight);
    for (const int64_t rows : {1, 7, 96, 512}) {
      const at::Tensor x = random({1, rows, in});
      const at::Tensor expected = at::matmul(x.to(at::kFloat), weight.to(at::kFloat).t());
      const double step = 0x1p-7;  // one of bfloat16
      const at::Tensor plain = packed_linear(x, ready, {});
      EXPECT_EQ(plain.scalar_type(), at::kBFloat16);
      EXPECT_TRUE(at::allclose(plain.to(at::kFloat), expected, step, 0.01));
      EXPECT_TRUE(at::allclose(packed_linear(x, ready, bias).to(at::kFloat),
                               expected + bias.to(at::kFloat),
                               step,
                               0.01));
    }
  }
}

}  // namespace
}  // namespace oneshot::kernels
