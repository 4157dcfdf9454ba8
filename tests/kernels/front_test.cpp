// The front functions: they refuse what does not fit, and pass on the rest.
#include <gmock/gmock.h>

#include "engine/error.h"
#include "tests/kernels/every_target.h"

namespace oneshot::kernels {

const KernelTable& template_kernels();  // engine/kernels/template, which no library holds

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

const at::Tensor kWeight = at::ones({2, 6});
const at::Tensor kScale = at::ones({2, 2});
const at::Tensor kZeroPoint = at::ones({2, 2}, at::kChar);

TEST(Front, PassesOn) {
  EXPECT_EQ(group_absmax(kWeight, 4).sizes(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(group_range(kWeight, 100).max.sizes(), (std::vector<int64_t>{2, 1}));
  const at::Tensor codes = encode_int(kWeight, kScale, kZeroPoint, 4, 4);
  EXPECT_TRUE(at::equal(codes, at::full({2, 6}, 2, at::kChar)));
  EXPECT_TRUE(at::equal(unpack_int(pack_int(codes, 4), 4, 6), codes));
  const at::Tensor fp4 = encode_fp4(kWeight, kScale, 4);
  EXPECT_TRUE(at::equal(unpack_nibbles(pack_nibbles(fp4)), fp4));
  EXPECT_EQ(encode_fp8(kWeight, kScale, 4).sizes(), kWeight.sizes());
}

TEST(Front, RefusesWeights) {
  const std::string what = "kernels: group_absmax: weight is ";
  EXPECT_EQ(message_of([] { group_absmax({}, 4); }), what + "undefined, which it does not take");
  EXPECT_EQ(message_of([] { group_absmax(kWeight[0], 4); }),
            what + "Float [6] on cpu, which it does not take");
  EXPECT_EQ(message_of([] { group_absmax(kWeight.t(), 4); }),
            what + "Float [6, 2] (not contiguous) on cpu, which it does not take");
  EXPECT_EQ(message_of([] { group_absmax(kWeight.to(at::kDouble), 4); }),
            what + "Double [2, 6] on cpu, which it does not take");
  EXPECT_EQ(message_of([] {
              group_absmax(at::ones({2, 0}), 4);
            }),
            what + "Float [2, 0] on cpu, which it does not take");
  EXPECT_EQ(message_of([] { group_range(kWeight, 0); }),
            "kernels: group_range: group_size is 0, expected at least 1");
}

TEST(Front, RefusesScalesAndZeroPoints) {
  EXPECT_EQ(message_of([] { encode_fp8(kWeight, kScale, 2); }),
            "kernels: encode_fp8: scale is Float [2, 2] on cpu, expected [2, 3] for groups of 2 in "
            "weight Float [2, 6] on cpu");
  EXPECT_EQ(message_of([] { encode_fp4(kWeight, kScale.to(at::kInt), 4); }),
            "kernels: encode_fp4: scale is Int [2, 2] on cpu, which it does not take");
  EXPECT_EQ(message_of([] { encode_int(kWeight, kScale, kScale, 4, 4); }),
            "kernels: encode_int: zero_point is Float [2, 2] on cpu, which it does not take");
  EXPECT_THAT(message_of([] { encode_int(kWeight, kScale, kZeroPoint[0].unsqueeze(0), 4, 4); }),
              testing::HasSubstr("zero_point is Char [1, 2] on cpu, expected [2, 2]"));
  EXPECT_EQ(message_of([] { encode_int(kWeight, kScale, {}, 4, 9); }),
            "kernels: encode_int: bits is 9, expected 2 … 8");
}

TEST(Front, RefusesCodes) {
  EXPECT_EQ(message_of([] { pack_int(kWeight, 4); }),
            "kernels: pack_int: codes is Float [2, 6] on cpu, which it does not take");
  EXPECT_EQ(message_of([] { pack_int(kZeroPoint, 1); }),
            "kernels: pack_int: bits is 1, expected 2 … 8");
  EXPECT_EQ(
      message_of([] {
        unpack_int(at::ones({2, 2}, at::kInt), 4, 17);
      }),
      "kernels: unpack_int: words is Int [2, 2] on cpu, which are not 17 codes of 4 bits a row");
  EXPECT_EQ(
      message_of([] {
        pack_nibbles(at::ones({2, 3}, at::kByte));
      }),
      "kernels: pack_nibbles: codes is Byte [2, 3] on cpu, expected an even number of columns");
  EXPECT_EQ(message_of([] { unpack_nibbles(kZeroPoint); }),
            "kernels: unpack_nibbles: bytes is Char [2, 2] on cpu, which it does not take");
}

TEST(Front, FallsBackToTheReference) {
  ASSERT_EQ(cpu_kernels().unpack_int, nullptr);
  const at::Tensor words = at::full({1, 1}, 0x76543210, at::kInt);
  EXPECT_TRUE(at::equal(unpack_int(words, 4, 8), reference_kernels().unpack_int(words, 4, 8)));
}

// Highway chooses an instruction set at the first call of a CPU kernel; the reference has none.
TEST(Front, AsksTheTableOfTheDevice) {
  hwy::SetSupportedTargetsForTest(0);  // forget what was chosen
  ASSERT_FALSE(hwy::GetChosenTarget().IsInitialized());
  reference_kernels().group_absmax(kWeight, 4);
  EXPECT_FALSE(hwy::GetChosenTarget().IsInitialized());
  group_absmax(kWeight, 4);
  EXPECT_TRUE(hwy::GetChosenTarget().IsInitialized());
}

TEST(Front, TemplateOfADevice) {
  const KernelTable& table = template_kernels();
  EXPECT_EQ(table.group_absmax, nullptr);
  const at::Tensor codes = at::arange(16).to(at::kByte).view({2, 8});
  EXPECT_TRUE(same_bits(table.pack_nibbles(codes), reference_kernels().pack_nibbles(codes)));
}

}  // namespace
}  // namespace oneshot::kernels
