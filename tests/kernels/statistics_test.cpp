// group_absmax and group_range against the reference, on every instruction set, to the bit.
#include <set>

#include "tests/kernels/every_target.h"

namespace oneshot::kernels {
namespace {

constexpr at::ScalarType kDtypes[] = {at::kBFloat16, at::kHalf, at::kFloat};
constexpr int64_t kGroupSizes[] = {1, 2, 7, 8, 16, 32, 64, 96, 128, 200, 256, 5000};

void expect_parity(const at::Tensor& weight, int64_t group_size) {
  if (testing::Test::HasFailure()) {
    return;  // the others would only say the same
  }
  SCOPED_TRACE(c10::str(weight.scalar_type(), " ", weight.sizes(), " in groups of ", group_size));
  const at::Tensor absmax = reference_kernels().group_absmax(weight, group_size);
  const GroupRange range = reference_kernels().group_range(weight, group_size);
  EXPECT_TRUE(at::equal(absmax.isfinite(), range.max.isfinite()));
  on_every_target([&](const KernelTable& cpu) {
    EXPECT_TRUE(same_bits(cpu.group_absmax(weight, group_size), absmax)) << "absmax";
    const GroupRange got = cpu.group_range(weight, group_size);
    EXPECT_TRUE(same_bits(got.min, range.min)) << "min";
    EXPECT_TRUE(same_bits(got.max, range.max)) << "max";
  });
}

TEST(Statistics, TakeEveryPatternOf16Bits) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
    const at::Tensor all = all_patterns(dtype);  // with NaN and infinity
    const at::Tensor ordered = at::arange(65536).to(at::kShort).view({256, 256}).view(dtype);
    const at::Tensor finite = finite_ones(all);
    for (const int64_t group_size : kGroupSizes) {
      expect_parity(all, group_size);
      expect_parity(ordered, group_size);
      expect_parity(finite, group_size);
    }
  }
}

TEST(Statistics, TakeAnyFloat32) {
  const at::Tensor bits = at::randint(-(1LL << 31), 1LL << 31, {64, 1024}, at::kLong).to(at::kInt);
  const at::Tensor all = bits.view(at::kFloat);
  const at::Tensor subnormal = bits.bitwise_and(0x807FFFFF).view(at::kFloat);
  for (const int64_t group_size : kGroupSizes) {
    expect_parity(all, group_size);
    expect_parity(finite_ones(all), group_size);
    expect_parity(subnormal, group_size);
  }
}

TEST(Statistics, TakeRowsOfAnyLength) {
  for (const at::ScalarType dtype : kDtypes) {
    for (int64_t columns = 1; columns < 280; columns += columns < 70 ? 1 : 13) {
      const at::Tensor weight = at::randn({3, columns}).to(dtype);
      for (const int64_t group_size : {int64_t{7}, int64_t{16}, int64_t{96}, columns}) {
        expect_parity(weight, group_size);
      }
    }
    expect_parity(at::empty({0, 8}, dtype), 4);
  }
}

// Every place in a group is looked at: the extreme stands there once.
TEST(Statistics, FindAnExtremeAnywhere) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t count : {1, 5, 8, 16, 31, 32, 33, 64, 96, 128, 129, 257}) {
      SCOPED_TRACE(c10::str(dtype, " ", count));
      // [count, count], the diagonal larger or smaller than the rest
      const at::Tensor top = (at::eye(count) * 2 - 1).to(dtype);
      const at::Tensor bottom = (at::eye(count) * -3 + 1).to(dtype);
      const at::Tensor nan = at::ones({count, count}).fill_diagonal_(NAN).to(dtype);
      on_every_target([&](const KernelTable& cpu) {
        EXPECT_TRUE(cpu.group_range(top, count).max.eq(1).all().item<bool>());
        EXPECT_TRUE(cpu.group_range(bottom, count).min.eq(-2).all().item<bool>());
        EXPECT_TRUE(cpu.group_absmax(bottom, count).eq(2).all().item<bool>());
        EXPECT_TRUE(cpu.group_absmax(nan, count).isnan().all().item<bool>());
        EXPECT_TRUE(cpu.group_range(nan, count).max.isnan().all().item<bool>());
      });
    }
  }
}

TEST(Statistics, ShowInfinityOfEitherSign) {
  const at::Tensor want = at::tensor({0, 0, 1}).to(at::kBool).view({3, 1});
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor weight =
        at::tensor({1.0f, -INFINITY, 2.0f, INFINITY, 1.0f, -2.0f}).view({3, 2}).to(dtype);
    const auto check = [&](const KernelTable& table) {
      EXPECT_TRUE(at::equal(table.group_absmax(weight, 2).isfinite(), want));
      EXPECT_TRUE(at::equal(table.group_range(weight, 2).max.isfinite(), want));
    };
    check(reference_kernels());
    on_every_target(check);
  }
}

TEST(Statistics, GiveNoNegativeZero) {
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor weight = at::tensor({-0.0f, -0.0f, 0.0f, -0.0f}).view({2, 2}).to(dtype);
    const auto check = [&](const KernelTable& table) {
      const GroupRange range = table.group_range(weight, 2);
      EXPECT_FALSE(range.min.signbit().any().item<bool>());
      EXPECT_FALSE(range.max.signbit().any().item<bool>());
      EXPECT_FALSE(table.group_absmax(weight, 2).signbit().any().item<bool>());
    };
    check(reference_kernels());
    on_every_target(check);
  }
}

// The loop over instruction sets is real, and ends with the best one.
TEST(Statistics, NameTheInstructionSet) {
  const std::string best = cpu_instruction_set();
  std::vector<std::string> names;
  on_every_target([&](const KernelTable&) { names.push_back(cpu_instruction_set()); });
  EXPECT_EQ(names.front(), best);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(cpu_instruction_set(), best);
}

}  // namespace
}  // namespace oneshot::kernels
