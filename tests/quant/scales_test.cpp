// Scales and zero points, by hand from the peer's formulas.
#include "engine/quant/scales.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/quant/quantized_weight.h"

namespace oneshot {
namespace {

at::Tensor bf16(std::vector<double> values) {
  return at::tensor(values, at::kDouble).to(at::kBFloat16);
}

QuantArgs args_of(const char* preset) {
  return find_preset(preset)->weights;
}

void expect_equal(const at::Tensor& found, const at::Tensor& expected) {
  EXPECT_TRUE(found.scalar_type() == expected.scalar_type() && found.equal(expected))
      << "found " << found << "\nexpected " << expected;
}

TEST(Scales, SymmetricIntegersDivideByHalfTheRange) {
  const Scales scales = symmetric_scales(args_of("W4A16"), bf16({7.5, 15.0, 1.0}), {});
  expect_equal(scales.stored, bf16({1.0, 2.0, 1.0 / 7.5}));
  EXPECT_FALSE(scales.zero_point.defined());
}

TEST(Scales, AGroupOfZerosGetsTheSmallestStepOfItsDtype) {
  expect_equal(symmetric_scales(args_of("W4A16"), bf16({0}), {}).stored, bf16({0.0078125}));
  expect_equal(symmetric_scales(args_of("FP8_DYNAMIC"), at::zeros({1}, at::kHalf), {}).stored,
               at::full({1}, 0.0009765625, at::kHalf));
  expect_equal(symmetric_scales(args_of("FP8_DYNAMIC"), at::zeros({1}), {}).stored,
               at::full({1}, 1.1920928955078125e-07));
}

TEST(Scales, AsymmetricZeroPointsAreRoundedAndClamped) {
  // 0 … 15: scale 1, zero point −8 − 0; −15 … 0: zero point −8 + 15; −1 … 2: scale 0.2, −8 + 5.
  const Scales scales =
      asymmetric_scales(args_of("W4A16_ASYM"), bf16({0, -15, -1, 3}), bf16({15, 0, 2, 6}));
  expect_equal(scales.zero_point, at::tensor({-8, 7, -3, -8}, at::kChar));
  expect_equal(scales.stored, bf16({1, 1, 0.2, 0.4}));  // the range always holds 0
}

TEST(Scales, AnAsymmetricGroupOfZerosHasZeroPointZero) {
  const Scales scales = asymmetric_scales(args_of("W4A16_ASYM"), bf16({0}), bf16({0}));
  expect_equal(scales.zero_point, at::zeros({1}, at::kChar));
  expect_equal(scales.stored, bf16({0.0078125}));
}

TEST(Scales, PowersOfTwoGoUpFromAMantissaOfOneAndThreeQuarters) {
  // exponent = 127 + floor(log2) − 2 for float4, − 8 for float8.
  const at::Tensor absmax = bf16({4.0, 6.96875, 7.0, 1.0, 0.0});
  expect_equal(symmetric_scales(args_of("MXFP4A16"), absmax, {}).stored,
               at::tensor({127, 127, 128, 125, 0}, at::kByte));
  expect_equal(symmetric_scales(args_of("MXFP8A16"), absmax, {}).stored,
               at::tensor({121, 121, 122, 119, 0}, at::kByte));
  expect_equal(symmetric_scales(args_of("MXFP4A16"), absmax, {}).divisor,
               bf16({1, 1, 2, 0.25, std::ldexp(1.0, -127)}));
}

TEST(Scales, Float16HasNoSmallPowersSoSuchGroupsAreZeros) {
  const Scales scales =
      symmetric_scales(args_of("MXFP4A16"), at::tensor({0.0, 65504.0}).to(at::kHalf), {});
  expect_equal(scales.stored,
               at::tensor({127, 141}, at::kByte));  // 1, and 2^14: 65504 counts as 2^16
  expect_equal(scales.divisor, at::tensor({1.0, 16384.0}).to(at::kHalf));
}

TEST(Scales, TheGlobalScaleMultipliesTheRoundedReciprocal) {
  // 1 / 1.1015625 = 0.9078… → bfloat16 0.90625; · 2688 = 2436 → bfloat16 2432. Direct division:
  // 2448.
  expect_equal(tensor_group_global_scale(bf16({1.1015625}).squeeze()), at::full({1}, 2432.0));
  expect_equal(tensor_group_global_scale(bf16({6.0}).squeeze()),
               bf16({bf16({1.0 / 6}).item<double>() * 2688}).to(at::kFloat));
}

TEST(Scales, TensorGroupScalesAreFloat8AndNeverZero) {
  const at::Tensor global = at::full({1}, 448.0);
  const Scales scales = symmetric_scales(args_of("NVFP4A16"), bf16({6.0, 0.0}), global);
  expect_equal(scales.stored.to(at::kFloat), at::tensor({448.0F, 0.125F}));
  expect_equal(scales.divisor, at::tensor({1.0F, 0.125F / 448.0F}));
}

TEST(Scales, Float16ScalesAreRoundedOnce) {
  QuantArgs args = args_of("W4A16");
  args.scale_dtype = ScaleDtype::F16;
  const Scales scales = symmetric_scales(args, bf16({1.0, 0.0}), {});
  expect_equal(scales.stored, at::tensor({1.0F / 7.5F, 0.0009765625F}).to(at::kHalf));
}

TEST(Dequantize, TakesZeroPointsGroupsAndBlocksIntoAccount) {
  QuantizedWeight weight;
  weight.scheme = *find_preset("W4A16_ASYM");
  weight.scheme.weights.group_size = 2;
  weight.codes = at::tensor({-8, 7, 0, 1}, at::kChar).view({1, 4});
  weight.scale = at::tensor({0.5F, 2.0F}).view({1, 2});
  weight.zero_point = at::tensor({-8, 1}, at::kChar).view({1, 2});
  expect_equal(dequantize(weight), at::tensor({0.0F, 7.5F, -2.0F, 0.0F}).view({1, 4}));

  QuantizedWeight blocks;
  blocks.scheme.weights = {.bits = 8,
                           .type = NumberType::Float,
                           .strategy = Strategy::Block,
                           .block_rows = 2,
                           .block_columns = 2};
  blocks.codes = at::ones({3, 3}).to(at::kFloat8_e4m3fn);
  blocks.scale = at::tensor({1.0F, 2.0F, 3.0F, 4.0F}).view({2, 2});
  expect_equal(dequantize(blocks),
               at::tensor({1.F, 1.F, 2.F, 1.F, 1.F, 2.F, 3.F, 3.F, 4.F}).view({3, 3}));

  QuantizedWeight fp4;
  fp4.scheme = *find_preset("NVFP4A16");
  fp4.codes = at::arange(16, at::kByte).view({1, 16});
  fp4.scale = at::full({1, 1}, 4.0).to(at::kFloat8_e4m3fn);
  fp4.global_scale = at::full({1}, 2.0);
  EXPECT_EQ(dequantize(fp4)[0][7].item<float>(), 12.0F);
  EXPECT_EQ(dequantize(fp4)[0][15].item<float>(), -12.0F);
}

}  // namespace
}  // namespace oneshot
