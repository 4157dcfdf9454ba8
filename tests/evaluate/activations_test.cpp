// Activations rounded at run time, by hand.
#include "engine/evaluate/activations.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace oneshot {
namespace {

TEST(Activations, EveryTokenHasItsOwnScale) {
  const QuantArgs int8 = *find_preset("W8A8")->input_activations;
  // Scale 127.5 / 127.5 = 1 and 255 / 127.5 = 2; ties go to the even code, 127.5 is clamped to 127.
  const at::Tensor x = at::tensor({127.5F, 2.5F, 3.5F, 255.0F, 5.0F, -7.0F}).view({1, 2, 3});
  const at::Tensor expected = at::tensor({127.0F, 2.0F, 4.0F, 254.0F, 4.0F, -8.0F}).view({1, 2, 3});
  EXPECT_TRUE(fake_quantize_dynamic(int8, x).equal(expected)) << fake_quantize_dynamic(int8, x);
}

TEST(Activations, Float8KeepsWhatItCanHold) {
  const QuantArgs fp8 = *find_preset("FP8_DYNAMIC")->input_activations;
  const at::Tensor x = at::tensor({448.0F, 17.0F, 0.0F, -240.0F}).view({1, 1, 4});
  const at::Tensor expected =
      at::tensor({448.0F, 16.0F, 0.0F, -240.0F}).view({1, 1, 4});  // 17 lies between 16 and 18
  EXPECT_TRUE(fake_quantize_dynamic(fp8, x).equal(expected)) << fake_quantize_dynamic(fp8, x);
}

TEST(Activations, GroupsOfColumnsHaveTheirOwnScale) {
  const QuantArgs mxfp4 = *find_preset("MXFP4")->input_activations;
  at::Tensor x = at::zeros({1, 1, 64});
  x[0][0][0] = 6.0;
  x[0][0][40] = 0.375;
  EXPECT_TRUE(fake_quantize_dynamic(mxfp4, x).equal(x));  // 6 · 1, and 6 · 2^-4
}

TEST(Activations, StaticScalesAreNotThereYet) {
  expect_error(ErrorCode::Unsupported,
               "activations with static scales cannot be evaluated yet; --weight-only leaves them "
               "as they are",
               [] {
                 fake_quantize_dynamic(*find_preset("FP8")->input_activations, at::ones({1, 2}));
               });
}

}  // namespace
}  // namespace oneshot
