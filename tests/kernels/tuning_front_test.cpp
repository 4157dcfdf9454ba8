// The front functions of tuning: they refuse what does not fit.
#include "engine/error.h"
#include "tests/kernels/every_target.h"

namespace oneshot::kernels {
namespace {

template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Failed);
    return error.what();
  }
  return "no error";
}

const TunedScheme kSymmetric = {TunedCodes::Symmetric, 4, 4};
const TunedScheme kAsymmetric = {TunedCodes::Asymmetric, 4, 4};
const TunedScheme kMx = {TunedCodes::Mx, 4, 4};

std::string rounding_message(const TunedScheme& scheme, const TunedWeight& weight) {
  return message_of([&] {
    RoundedWeight out = rounded_buffers(scheme, at::ones({2, 6}), at::kFloat);
    round_tuned(scheme, weight, out);
  });
}

TEST(TuningFront, MakesBuffers) {
  const at::Tensor weight = at::tensor({-1.0F, 2.0F, 3.0F, 0.0F, 5.0F, 4.0F}).view({1, 6});
  const TunedWeight tuned = untuned(kSymmetric, weight);
  EXPECT_TRUE(at::equal(tuned.min, at::tensor({-1.0F, 0.0F}).view({1, 2})));
  EXPECT_TRUE(at::equal(tuned.max, at::tensor({3.0F, 5.0F}).view({1, 2})));
  EXPECT_EQ(rounded_buffers(kSymmetric, weight, at::kFloat).codes.scalar_type(), at::kChar);
  EXPECT_FALSE(rounded_buffers(kSymmetric, weight, at::kFloat).zero_point.defined());
  EXPECT_EQ(rounded_buffers(kAsymmetric, weight, at::kBFloat16).zero_point.sizes(),
            (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(rounded_buffers(kMx, weight, at::kBFloat16).scale.scalar_type(), at::kByte);
  const TunedScheme whole_row = {TunedCodes::Symmetric, 4, -1};
  EXPECT_EQ(untuned(whole_row, weight).min.sizes(), (std::vector<int64_t>{1, 1}));
}

TEST(TuningFront, RefusesSchemes) {
  const TunedWeight weight = untuned(kSymmetric, at::ones({2, 6}));
  EXPECT_EQ(rounding_message({TunedCodes::Symmetric, 9, 4}, weight),
            "kernels: rounded_buffers: bits is 9, expected 2 … 8");
  EXPECT_EQ(rounding_message({TunedCodes::Mx, 8, 4}, weight),
            "kernels: rounded_buffers: bits is 8, expected 4");
  EXPECT_EQ(rounding_message({TunedCodes::Symmetric, 4, 0}, weight),
            "kernels: rounded_buffers: group_size is 0, expected at least 1, or -1");
  EXPECT_EQ(message_of([] {
              search_scales(kMx, at::ones({2, 6}), {});
            }),
            "kernels: search_scales: the scheme is not one of symmetric integers");
}

TEST(TuningFront, RefusesWhatDoesNotFit) {
  const TunedWeight right = untuned(kSymmetric, at::ones({2, 6}));
  TunedWeight wrong = right;
  wrong.min = at::Tensor();
  EXPECT_EQ(rounding_message(kSymmetric, wrong),
            "kernels: round_tuned: min is undefined, expected [2, 2]");
  wrong = right;
  wrong.rounding = at::zeros({2, 5});
  EXPECT_EQ(rounding_message(kSymmetric, wrong),
            "kernels: round_tuned: rounding is Float [2, 5] on cpu, expected Float [2, 6] on cpu");
  wrong = right;
  wrong.max_factor = at::ones({2, 2}).t();
  EXPECT_EQ(rounding_message(kSymmetric, wrong),
            "kernels: round_tuned: max_factor is Float [2, 2] (not contiguous) on cpu, expected "
            "Float [2, 2] on cpu");
  wrong = right;
  wrong.start = at::ones({2, 2});
  EXPECT_EQ(rounding_message(kAsymmetric, wrong),
            "kernels: round_tuned: start is given, but an asymmetric scheme has none");
  EXPECT_EQ(message_of([&] {
              sign_step(kSymmetric, right, at::ones({2, 6}, at::kHalf), 0, 0);
            }),
            "kernels: sign_step: gradient is Half [2, 6] on cpu, expected Float [2, 6] on cpu");
  EXPECT_EQ(message_of([] {
              search_scales(kSymmetric, at::ones({2, 6}), at::ones({5}));
            }),
            "kernels: search_scales: importance is Float [5] on cpu, expected Float [6] on cpu");
}

TEST(TuningFront, RefusesBuffers) {
  const TunedWeight weight = untuned(kSymmetric, at::ones({2, 6}));
  const auto message = [&](const TunedScheme& scheme, RoundedWeight out) {
    return message_of([&] { round_tuned(scheme, weight, out); });
  };
  RoundedWeight out = rounded_buffers(kMx, weight.weight, at::kFloat);
  EXPECT_EQ(message(kSymmetric, out),
            "kernels: round_tuned: codes is Byte [2, 6] on cpu, expected Char [2, 6] on cpu");
  out = rounded_buffers(kAsymmetric, weight.weight, at::kFloat);
  EXPECT_EQ(message(kSymmetric, out),
            "kernels: round_tuned: zero_point is wanted, but only an asymmetric scheme has one");
  out = rounded_buffers(kSymmetric, weight.weight, at::kHalf);
  EXPECT_EQ(message(kSymmetric, out),
            "kernels: round_tuned: values is Half [2, 6] on cpu, expected Float [2, 6] on cpu");
}

}  // namespace
}  // namespace oneshot::kernels
