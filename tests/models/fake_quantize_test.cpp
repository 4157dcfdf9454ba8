// Activations rounded at run time, by hand.
#include "engine/graph/fake_quantize.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace oneshot {
namespace {

TEST(Activations, EveryTokenHasItsOwnScale) {
  const QuantArgs int8 = *find_preset("W8A8")->input_activations;
  // Scale 127.5 / 127.5 = 1 and 255 / 127.5 = 2; ties go to the even code, 127.5 is clamped to 127.
  const at::Tensor x = at::tensor({127.5F, 2.5F, 3.5F, 255.0F, 5.0F, -7.0F}).view({1, 2, 3});
  const at::Tensor expected = at::tensor({127.0F, 2.0F, 4.0F, 254.0F, 4.0F, -8.0F}).view({1, 2, 3});
  EXPECT_TRUE(fake_quantize(int8, {}, x).equal(expected)) << fake_quantize(int8, {}, x);
}

TEST(Activations, Float8KeepsWhatItCanHold) {
  const QuantArgs fp8 = *find_preset("FP8_DYNAMIC")->input_activations;
  const at::Tensor x = at::tensor({448.0F, 17.0F, 0.0F, -240.0F}).view({1, 1, 4});
  const at::Tensor expected =
      at::tensor({448.0F, 16.0F, 0.0F, -240.0F}).view({1, 1, 4});  // 17 lies between 16 and 18
  EXPECT_TRUE(fake_quantize(fp8, {}, x).equal(expected)) << fake_quantize(fp8, {}, x);
}

TEST(Activations, GroupsOfColumnsHaveTheirOwnScale) {
  const QuantArgs mxfp4 = *find_preset("MXFP4")->input_activations;
  at::Tensor x = at::zeros({1, 1, 64});
  x[0][0][0] = 6.0;
  x[0][0][40] = 0.375;
  EXPECT_TRUE(fake_quantize(mxfp4, {}, x).equal(x));  // 6 · 1, and 6 · 2^-4
}

TEST(Activations, AStaticScaleIsTheSameForAllTokens) {
  const QuantArgs fp8 = *find_preset("FP8")->input_activations;
  const at::Tensor x = at::tensor({1.0F, 17.0F, -900.0F, 0.3F}).view({1, 2, 2});
  // By 0.5: 2, 34 (between 32 and 36), -1800 (clamped to -448), 0.6 (its step is 1/16: 0.625).
  const at::Tensor expected = at::tensor({1.0F, 16.0F, -224.0F, 0.3125F}).view({1, 2, 2});
  const InputScales measured{at::tensor({0.5F}), {}, {}};
  EXPECT_TRUE(fake_quantize(fp8, measured, x).equal(expected)) << fake_quantize(fp8, measured, x);
}

TEST(Activations, AStaticZeroPointMovesTheRange) {
  const QuantArgs int8{.bits = 8, .strategy = Strategy::Tensor, .symmetric = false};
  const at::Tensor x = at::tensor({0.0F, 25.5F, -1.0F}).view({1, 1, 3});
  // By 0.1, zero point -128: codes -128 … 127 stand for 0 … 25.5; -1 is clamped to 0.
  const InputScales measured{at::tensor({0.1F}), at::tensor({-128}, at::kChar), {}};
  const at::Tensor expected = at::tensor({0.0F, 25.5F, 0.0F}).view({1, 1, 3});
  EXPECT_TRUE(fake_quantize(int8, measured, x).allclose(expected, 0, 1e-6));
}

TEST(Activations, LocalScalesAreRoundedBelowTheGlobalOne) {
  const QuantArgs nvfp4 = *find_preset("NVFP4")->input_activations;
  at::Tensor x = at::zeros({1, 1, 32});
  x[0][0][0] = 6.0;
  x[0][0][20] = 1.1;
  // Global scale 2688 / 6 = 448: the first group's scale is 448 · 1 → 448, its value 6 exact; the
  // second's 448 · 1.1 / 6 = 82.13 → 80 in float8, so 1.1 / (80 / 448) = 6.16 → 6, that is 1.0714.
  const InputScales measured{{}, {}, at::tensor({448.0F})};
  const at::Tensor found = fake_quantize(nvfp4, measured, x);
  EXPECT_FLOAT_EQ(found[0][0][0].item<float>(), 6.0F);
  EXPECT_FLOAT_EQ(found[0][0][20].item<float>(), 6 * 80 / 448.0F);
}

}  // namespace
}  // namespace oneshot
