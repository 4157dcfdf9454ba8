// The encoders against the reference, on every instruction set, to the bit: all 16-bit patterns,
// scales from subnormal to huge, every zero point, odd shapes, ties.
#include <ATen/Parallel.h>

#include "tests/kernels/every_target.h"

namespace oneshot::kernels {
namespace {

// For the whole binary: ATen's threads spin while they wait, and other tests run beside this one.
struct OneThread : testing::Environment {
  void SetUp() override { at::set_num_threads(1); }
};
[[maybe_unused]] const auto* const kOneThread = testing::AddGlobalTestEnvironment(new OneThread);

constexpr at::ScalarType kDtypes[] = {at::kBFloat16, at::kHalf, at::kFloat};

std::string text_of(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size) {
  return c10::str(weight.scalar_type(),
                  " ",
                  weight.sizes(),
                  " by ",
                  scale.scalar_type(),
                  " in groups of ",
                  group_size);
}

// After a first failure the others would only say the same.
bool failed_before() {
  return testing::Test::HasFailure();
}

void expect_integers(const at::Tensor& weight,
                     const at::Tensor& scale,
                     const at::Tensor& zero_point,
                     int64_t group_size,
                     int bits) {
  if (failed_before()) {
    return;
  }
  SCOPED_TRACE(c10::str(text_of(weight, scale, group_size), ", ", bits, " bits"));
  const at::Tensor want =
      reference_kernels().encode_int(weight, scale, zero_point, group_size, bits);
  on_every_target([&](const KernelTable& cpu) {
    EXPECT_TRUE(same_bits(cpu.encode_int(weight, scale, zero_point, group_size, bits), want));
  });
}

void expect_floats(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size) {
  if (failed_before()) {
    return;
  }
  SCOPED_TRACE(text_of(weight, scale, group_size));
  const at::Tensor fp8 = reference_kernels().encode_fp8(weight, scale, group_size);
  const at::Tensor fp4 = reference_kernels().encode_fp4(weight, scale, group_size);
  on_every_target([&](const KernelTable& cpu) {
    EXPECT_TRUE(same_bits(cpu.encode_fp8(weight, scale, group_size), fp8)) << "fp8";
    EXPECT_TRUE(same_bits(cpu.encode_fp4(weight, scale, group_size), fp4)) << "fp4";
  });
}

// One of every kind of scale in a dtype: [scales, 1]. None is zero.
at::Tensor some_scales(at::ScalarType dtype) {
  const double tiny = dtype == at::kHalf ? 6e-8 : 1e-40;       // subnormal
  const double small = dtype == at::kHalf ? 6.2e-5 : 1.3e-38;  // the first normal ones
  const double large = dtype == at::kHalf ? 6e4 : 3e38;
  const at::Tensor chosen =
      at::tensor({tiny, 5 * tiny, small, large, 1.0, -1.0, 0.1, -0.3, 1.0 / 3, 3.0});
  const at::Tensor spread = at::randn({14}, at::kDouble).exp().mul(0.01);
  return at::cat({chosen, spread}).to(dtype).unsqueeze(1);
}

TEST(Parity, EncodersTakeEveryFinitePatternOf16Bits) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
    const at::Tensor row = finite_ones(all_patterns(dtype));
    const int64_t columns = row.size(1);
    for (const at::ScalarType scale_dtype : kDtypes) {
      const at::Tensor scale = some_scales(scale_dtype);
      const at::Tensor weight = row.repeat({scale.size(0), 1});
      const at::Tensor zero_point = at::randint(-8, 8, scale.sizes(), at::kChar);
      expect_integers(weight, scale, {}, columns, 4);
      expect_integers(weight, scale, {}, columns, 8);
      expect_integers(weight, scale, zero_point, columns, 4);
      expect_floats(weight, scale, columns);
    }
  }
}

// Quotients of every size that matters: around the codes, their ties and the subnormal ones.
TEST(Parity, EncodersTakeEveryPatternNearTheCodes) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
    const at::Tensor all = finite_ones(all_patterns(dtype));
    const at::Tensor near = all.masked_select(all.abs() < 600).unsqueeze(0);
    const at::Tensor one = at::ones({1, 1}, dtype);
    for (int bits = 2; bits <= 8; ++bits) {
      expect_integers(near, one, {}, near.size(1), bits);
    }
    expect_floats(near, one, near.size(1));
  }
}

TEST(Parity, EncodersTakeAnyFloat32) {
  const at::Tensor bits = at::randint(-(1LL << 31), 1LL << 31, {1 << 16}, at::kLong).to(at::kInt);
  const at::Tensor any = finite_ones(bits.view(at::kFloat));
  const at::Tensor subnormal = bits.bitwise_and(0x807FFFFF).view(at::kFloat).unsqueeze(0);
  const at::Tensor usual = at::randn({1, 1 << 16}) * 0.05;
  for (const at::Tensor& row : {any, subnormal, usual}) {
    for (const at::ScalarType scale_dtype : kDtypes) {
      const at::Tensor scale = some_scales(scale_dtype);
      const at::Tensor weight = row.repeat({scale.size(0), 1});
      expect_integers(weight, scale, {}, row.size(1), 4);
      expect_integers(
          weight, scale, at::randint(-128, 128, scale.sizes(), at::kChar), row.size(1), 8);
      expect_floats(weight, scale, row.size(1));
    }
  }
}

// Exact ties and their neighbours on both sides, in all quotient dtypes.
TEST(Parity, EncodersTakeTies) {
  const at::Tensor halves = at::arange(-1040, 1041).div(2.0);     // integers, int8 range
  const at::Tensor fine = at::arange(-4096, 4097).mul(0x1p-12);   // fp8 subnormals
  const at::Tensor coarse = at::arange(-1024, 1025).mul(0x1p-7);  // fp4, fp8 below 8
  const at::Tensor exact = at::cat({halves, fine, coarse});
  const at::Tensor infinity = at::full({}, INFINITY);
  const at::Tensor row =
      at::cat({exact, at::nextafter(exact, infinity), at::nextafter(exact, -infinity)});
  for (const at::ScalarType dtype : kDtypes) {
    for (const at::ScalarType scale_dtype : kDtypes) {
      const at::Tensor scale =
          at::tensor({1.0, 0.5, -0.25, 4.0, 0.1, 0.3}).to(scale_dtype).unsqueeze(1);
      const at::Tensor weight = (scale.to(at::kFloat) * row).to(dtype);  // ties again, where exact
      expect_integers(weight, scale, {}, row.size(0), 8);
      expect_integers(weight, scale, {}, row.size(0), 3);
      expect_floats(weight, scale, row.size(0));
    }
  }
}

TEST(Parity, EncodeIntTakesEveryZeroPoint) {
  const at::Tensor zero_point = at::arange(-128, 128).to(at::kChar).unsqueeze(1);  // [256, 1]
  const at::Tensor quotient = at::cat({at::arange(-1100, 1101).div(8.0), at::randn({500}) * 90});
  for (const at::ScalarType dtype : kDtypes) {
    for (const at::ScalarType scale_dtype : kDtypes) {
      const at::Tensor scale = at::full({256, 1}, 0.0371).to(scale_dtype);
      const at::Tensor weight = (scale.to(at::kFloat) * quotient).to(dtype);
      for (const int bits : {2, 4, 5, 8}) {
        expect_integers(weight, scale, zero_point, weight.size(1), bits);
        expect_integers(quotient.repeat({256, 1}).to(dtype),
                        at::ones_like(scale),
                        zero_point,
                        weight.size(1),
                        bits);
      }
    }
  }
}

TEST(Parity, EncodersTakeRowsAndGroupsOfAnyLength) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t columns : {1, 2, 5, 8, 15, 16, 17, 31, 33, 48, 63, 65, 100, 257, 1031}) {
      for (const int64_t group_size : {int64_t{1},
                                       int64_t{7},
                                       int64_t{16},
                                       int64_t{32},
                                       int64_t{64},
                                       int64_t{96},
                                       int64_t{128},
                                       columns,
                                       int64_t{5000}}) {
        for (const at::ScalarType scale_dtype : kDtypes) {
          const int64_t groups = (columns - 1) / group_size + 1;
          const at::Tensor weight = at::randn({3, columns}).to(dtype);
          const at::Tensor scale = (at::rand({3, groups}) * 0.3 + 0.05).to(scale_dtype);
          const at::Tensor zero_point = at::randint(-8, 8, {3, groups}, at::kChar);
          expect_integers(weight, scale, {}, group_size, 4);
          expect_integers(weight, scale, zero_point, group_size, 4);
          expect_floats(weight, scale / 8, group_size);
        }
      }
    }
    const at::Tensor none = at::empty({0, 8}, dtype), no_scale = at::empty({0, 2}, dtype);
    expect_integers(none, no_scale, {}, 4, 4);
    expect_floats(none, no_scale, 4);
  }
}

}  // namespace
}  // namespace oneshot::kernels
