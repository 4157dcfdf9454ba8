// Cases worked out by hand from the rules of the formats, not from our reference; the reference
// and the CPU kernels of every instruction set must both agree with them.
#include "tests/kernels/every_target.h"

namespace oneshot::kernels {
namespace {

// Calls `check` with the table of the reference, and with the CPU's on every instruction set.
template <class Check>
void on_all_kernels(const Check& check) {
  {
    SCOPED_TRACE("reference");
    check(reference_kernels());
  }
  on_every_target(check);
}

constexpr at::ScalarType kDtypes[] = {at::kBFloat16, at::kHalf, at::kFloat};

struct Case {
  float value;
  int code;
};

at::Tensor values_of(const std::vector<Case>& cases, at::ScalarType dtype) {
  std::vector<float> values;
  for (const Case& c : cases) {
    values.push_back(c.value);
  }
  return at::tensor(values).to(dtype).unsqueeze(0);
}

void expect_codes(const at::Tensor& codes, const std::vector<Case>& cases) {
  ASSERT_EQ(codes.numel(), static_cast<int64_t>(cases.size()));
  const at::Tensor plain = codes.scalar_type() == at::kChar ? codes : codes.view(at::kByte);
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(plain[0][static_cast<int64_t>(i)].item<int>(), cases[i].code) << cases[i].value;
  }
}

TEST(ByHand, Fp8) {
  // All values are exact in bfloat16 and float16.
  const std::vector<Case> cases = {
      {0.0f, 0x00},
      {-0.0f, 0x00},      // a zero has no sign
      {-0x1p-11f, 0x80},  // a small negative keeps it
      {0x1p-11f, 0x00},
      {0.001953125f, 0x01},  // 2^-9, the smallest
      {-0.001953125f, 0x81},
      {0x1p-10f, 0x00},  // ties: to the even code
      {0x3p-10f, 0x02},
      {0x5p-10f, 0x02},
      {0xFp-10f, 0x08},  // between the largest
                         // subnormal and the smallest
                         // normal
      {0x1p-6f, 0x08},
      {1.0f, 0x38},
      {1.0625f, 0x38},
      {1.1875f, 0x3A},
      {-1.0f, 0xB8},
      {0x1.Fp0f, 0x40},  // a tie up to the next power of two
      {240.0f, 0x77},
      {416.0f, 0x7D},
      {432.0f, 0x7E},  // a tie: to 448
      {448.0f, 0x7E},
      {-448.0f, 0xFE},
      {1000.0f, 0x7E},  // clamped, never NaN
      {-60000.0f, 0xFE},
  };
  on_all_kernels([&](const KernelTable& table) {
    for (const at::ScalarType dtype : kDtypes) {
      const at::Tensor one = at::ones({1, 1}, dtype);
      const at::Tensor codes = table.encode_fp8(values_of(cases, dtype), one, 100);
      EXPECT_EQ(codes.scalar_type(), at::kFloat8_e4m3fn);
      expect_codes(codes, cases);
    }
  });
}

TEST(ByHand, Fp4) {
  const std::vector<Case> cases = {
      {0.0f, 0},        {-0.0f, 0},  {0.1f, 0},        {-0.1f, 8},  {0.25f, 0},   {-0.25f, 8},
      {0.25390625f, 1}, {0.5f, 1},   {0.74609375f, 1}, {0.75f, 2},  {1.0f, 2},    {1.25f, 2},
      {1.2578125f, 3},  {1.5f, 3},   {1.7421875f, 3},  {1.75f, 4},  {2.0f, 4},    {2.5f, 4},
      {2.515625f, 5},   {3.0f, 5},   {3.484375f, 5},   {3.5f, 6},   {4.0f, 6},    {5.0f, 6},
      {5.03125f, 7},    {6.0f, 7},   {100.0f, 7},      {-0.5f, 9},  {-1.25f, 10}, {-1.75f, 12},
      {-2.5f, 12},      {-3.5f, 14}, {-5.0f, 14},      {-6.0f, 15}, {-7.0f, 15},
  };
  on_all_kernels([&](const KernelTable& table) {
    for (const at::ScalarType dtype : kDtypes) {
      const at::Tensor one = at::ones({1, 1}, dtype);
      expect_codes(table.encode_fp4(values_of(cases, dtype), one, 100), cases);
    }
  });
}

// A quotient that is rounded away in its own dtype is a zero, and has no sign.
TEST(ByHand, QuotientsThatVanish) {
  const at::Tensor weight = at::tensor({-0x1p-20f}).to(at::kHalf).view({1, 1});
  const at::Tensor scale = at::tensor({64.0f}).view({1, 1});  // −2^-26: below float16, not float32
  on_all_kernels([&](const KernelTable& table) {
    expect_codes(table.encode_fp8(weight, scale.to(at::kHalf), 1), {{0, 0x00}});
    expect_codes(table.encode_fp4(weight, scale.to(at::kHalf), 1), {{0, 0}});
    expect_codes(table.encode_fp8(weight, scale, 1), {{0, 0x80}});
    expect_codes(table.encode_fp4(weight, scale, 1), {{0, 8}});
  });
}

TEST(ByHand, Int4TiesGoToEven) {
  const std::vector<Case> cases = {
      {0.5f, 0},
      {1.5f, 2},
      {2.5f, 2},
      {-0.5f, 0},
      {-1.5f, -2},
      {-2.5f, -2},
      {3.5f, 4},
      {6.5f, 6},
      {7.5f, 7},
      {7.0f, 7},
      {100.0f, 7},
      {-7.5f, -8},
      {-8.5f, -8},
      {-100.0f, -8},
      {0.498f, 0},
      {0.502f, 1},
      {-0.0f, 0},
  };
  on_all_kernels([&](const KernelTable& table) {
    for (const at::ScalarType dtype : kDtypes) {
      const at::Tensor one = at::ones({1, 1}, dtype);
      const at::Tensor codes = table.encode_int(values_of(cases, dtype), one, {}, 100, 4);
      EXPECT_EQ(codes.scalar_type(), at::kChar);
      expect_codes(codes, cases);
    }
  });
}

TEST(ByHand, IntegersAreRoundedTwice) {
  // 196 ÷ 3 = 65.33: bfloat16 has 65.5 there, a tie that goes to 66; float32 gives 65.
  const at::Tensor weight = at::full({1, 1}, 196, at::kBFloat16);
  const at::Tensor scale = at::full({1, 1}, 3, at::kBFloat16);
  // 0.375 + 65: the sum is rounded to bfloat16 as well.
  const at::Tensor small = at::full({1, 1}, 0.375, at::kBFloat16);
  const at::Tensor one = at::ones({1, 1}, at::kBFloat16);
  const at::Tensor shift = at::full({1, 1}, 65, at::kChar);
  on_all_kernels([&](const KernelTable& table) {
    expect_codes(table.encode_int(weight, scale, {}, 1, 8), {{0, 66}});
    expect_codes(table.encode_int(weight, scale.to(at::kFloat), {}, 1, 8), {{0, 65}});
    expect_codes(table.encode_int(small, one, shift, 1, 8), {{0, 66}});
    expect_codes(table.encode_int(small, one.to(at::kFloat), shift, 1, 8), {{0, 65}});
  });
}

TEST(ByHand, ZeroPointsMoveTheCodes) {
  const at::Tensor weight = at::tensor({-4.0f, -1.0f, 0.0f, 11.0f, 12.0f, 40.0f}).unsqueeze(0);
  const at::Tensor scale = at::tensor({1.0f, 2.0f}).unsqueeze(0);
  const at::Tensor zero_point = at::tensor({-4, 1}).to(at::kChar).unsqueeze(0);
  on_all_kernels([&](const KernelTable& table) {
    expect_codes(table.encode_int(weight, scale, zero_point, 3, 4),
                 {{0, -8}, {0, -5}, {0, -4}, {0, 6}, {0, 7}, {0, 7}});  // 5.5 + 1 is a tie
  });
}

TEST(ByHand, GroupsHaveTheirOwnScale) {
  const at::Tensor weight = at::tensor({6.0f, -6.0f, 6.0f, 6.0f, 6.0f}).unsqueeze(0);
  const at::Tensor scale = at::tensor({1.0f, 2.0f, -3.0f}).unsqueeze(0);  // the last group is short
  on_all_kernels([&](const KernelTable& table) {
    expect_codes(table.encode_int(weight, scale, {}, 2, 4),
                 {{0, 6}, {0, -6}, {0, 3}, {0, 3}, {0, -2}});
    expect_codes(table.encode_fp4(weight, scale, 2), {{0, 7}, {0, 15}, {0, 5}, {0, 5}, {0, 12}});
    const at::Tensor absmax =
        table.group_absmax(weight * scale.repeat_interleave(2, 1).slice(1, 0, 5), 2);
    EXPECT_TRUE(at::equal(absmax, at::tensor({6.0f, 12.0f, 18.0f}).unsqueeze(0)));
    const GroupRange range = table.group_range(weight, 2);
    EXPECT_TRUE(at::equal(range.min, at::tensor({-6.0f, 6.0f, 6.0f}).unsqueeze(0)));
    EXPECT_TRUE(at::equal(range.max, at::tensor({6.0f, 6.0f, 6.0f}).unsqueeze(0)));
  });
}

TEST(ByHand, PackedIntegers) {
  const auto row = [](const std::vector<int>& codes) {
    return at::tensor(codes).to(at::kChar).unsqueeze(0);
  };
  const auto words = [](const std::vector<int64_t>& values) {
    return at::tensor(values, at::kLong).to(at::kInt).unsqueeze(0);
  };
  on_all_kernels([&](const KernelTable& table) {
    // Σ (code + 8) << 4j
    EXPECT_TRUE(
        at::equal(table.pack_int(row({-8, -7, -6, -5, -4, -3, -2, -1}), 4), words({0x76543210})));
    EXPECT_TRUE(at::equal(table.pack_int(row({7, 6, 5, 4, 3, 2, 1, 0, 7, -8, 7}), 4),
                          words({0x89ABCDEF, 0xF0F})));  // zeros behind the last
    EXPECT_TRUE(
        at::equal(table.pack_int(row({-128, -127, 0, 127, -1}), 8), words({0xFF800100, 0x7F})));
    EXPECT_TRUE(at::equal(table.pack_int(row({-2, -1, 0, 1, 1}), 2), words({0x3E4})));
    // The eleventh code of 3 bits has two in the first word and one in the second.
    std::vector<int> eleven(11, -4);
    eleven[10] = 3;
    EXPECT_TRUE(at::equal(table.pack_int(row(eleven), 3), words({0xC0000000, 0x1})));
    eleven[0] = -3;
    eleven[10] = 0;
    EXPECT_TRUE(at::equal(table.pack_int(row(eleven), 3), words({0x00000001, 0x1})));
    // 5 bits: the seventh code, 0b10110, has its low two bits in the first word.
    EXPECT_TRUE(at::equal(table.pack_int(row({-16, -16, -16, -16, -16, -16, 6}), 5),
                          words({0x80000000, 0x5})));
  });
  EXPECT_TRUE(at::equal(unpack_int(words({0xC0000000, 0x1}), 3, 11)[0][10],
                        at::scalar_tensor(3, at::kChar)));
  EXPECT_TRUE(
      at::equal(unpack_int(words({0x76543210}), 4, 8), row({-8, -7, -6, -5, -4, -3, -2, -1})));
}

TEST(ByHand, PackedNibbles) {
  const at::Tensor codes = at::tensor({1, 15, 8, 0}).to(at::kByte).unsqueeze(0);
  const at::Tensor bytes = at::tensor({0xF1, 0x08}).to(at::kByte).unsqueeze(0);
  on_all_kernels([&](const KernelTable& table) {
    EXPECT_TRUE(at::equal(table.pack_nibbles(codes), bytes));  // the even column is the low nibble
  });
  EXPECT_TRUE(at::equal(unpack_nibbles(bytes), codes));
}

}  // namespace
}  // namespace oneshot::kernels
