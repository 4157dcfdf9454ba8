// The kernels of tuning against the reference, on every instruction set, to the bit: many steps one
// after the other, every scale of float16, every exponent, odd shapes.
#include "tests/kernels/every_target.h"
#include "tests/kernels/tuned_weights.h"

namespace oneshot::kernels {
namespace {

constexpr TunedCodes kCodes[] = {TunedCodes::Symmetric, TunedCodes::Asymmetric, TunedCodes::Mx};
constexpr at::ScalarType kDtypes[] = {at::kBFloat16, at::kHalf, at::kFloat};

testing::AssertionResult same(const at::Tensor& got, const at::Tensor& want) {
  return want.defined() ? same_bits(got, want) : testing::AssertionSuccess();
}

RoundedWeight rounded_by(const KernelTable& table,
                         const TunedScheme& scheme,
                         const TunedWeight& weight,
                         at::ScalarType dtype) {
  RoundedWeight out = rounded_buffers(scheme, weight.weight, dtype);
  table.round_tuned(scheme, weight, out);
  return out;
}

void expect_rounded(const TunedScheme& scheme, const TunedWeight& weight) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kFloat}) {
    const RoundedWeight want = rounded_by(reference_kernels(), scheme, weight, dtype);
    on_every_target([&](const KernelTable& cpu) {
      const RoundedWeight got = rounded_by(cpu, scheme, weight, dtype);
      EXPECT_TRUE(same(got.values, want.values)) << "values in " << dtype;
      EXPECT_TRUE(same(got.codes, want.codes)) << "codes";
      EXPECT_TRUE(same(got.scale, want.scale)) << "scale";
      EXPECT_TRUE(same(got.zero_point, want.zero_point)) << "zero point";
    });
  }
}

void expect_stepped(const TunedScheme& scheme,
                    const TunedWeight& before,
                    const std::vector<at::Tensor>& gradients) {
  const auto tuned_by = [&](const KernelTable& table) {
    const TunedWeight tuned = copy_of(before);
    for (size_t i = 0; i < gradients.size(); ++i) {
      const auto left = static_cast<float>(gradients.size() - i);
      table.sign_step(scheme, tuned, gradients[i], 0.02F * left, 0.03F * left);
    }
    return tuned;
  };
  const TunedWeight want = tuned_by(reference_kernels());
  on_every_target([&](const KernelTable& cpu) {
    const TunedWeight got = tuned_by(cpu);
    EXPECT_TRUE(same(got.rounding, want.rounding)) << "rounding";
    EXPECT_TRUE(same(got.min_factor, want.min_factor)) << "min_factor";
    EXPECT_TRUE(same(got.max_factor, want.max_factor)) << "max_factor";
  });
  expect_rounded(scheme, want);
}

void expect_parity(TunedScheme scheme, const at::Tensor& weight, const at::Tensor& start) {
  if (testing::Test::HasFailure()) {
    return;  // the others would only say the same
  }
  scheme.group_size = std::min(scheme.group_size, weight.size(1));
  SCOPED_TRACE(text_of(scheme, weight));
  TunedWeight tuned = untuned(scheme, weight);
  tuned.start = start;
  expect_rounded(scheme, tuned);
  std::vector<at::Tensor> gradients;
  for (int i = 0; i < 12; ++i) {
    gradients.push_back(at::randn(weight.sizes()).to(i % 2 == 0 ? at::kBFloat16 : at::kFloat));
    gradients.back().masked_fill_(at::rand(weight.sizes()) < 0.1, 0);
  }
  expect_stepped(scheme, tuned, gradients);
}

class TuningParity : public testing::Test {
 protected:
  void SetUp() override { at::manual_seed(21); }
};

TEST_F(TuningParity, HoldsForEveryShape) {
  for (const TunedCodes codes : kCodes) {
    for (const int64_t columns : {1, 3, 16, 31, 96, 200, 333}) {
      for (const int64_t group_size : {1, 2, 5, 16, 20, 32, 128, 1000}) {
        at::Tensor weight = at::randn({3, columns}) * 0.05;
        weight[1].abs_();
        expect_parity({codes, 4, group_size}, weight.to(at::kBFloat16), {});
      }
    }
  }
}

TEST_F(TuningParity, HoldsForEveryDtypeAndWidth) {
  for (const TunedCodes codes : kCodes) {
    for (const at::ScalarType dtype : kDtypes) {
      for (const int bits : {2, 3, 4, 5, 6, 7, 8}) {
        at::Tensor weight = (at::randn({4, 80}) * 0.05).to(dtype);
        weight[1].zero_();
        weight[2].mul_(1e-5);
        const bool mx = codes == TunedCodes::Mx;
        expect_parity({codes, mx ? 4 : bits, 32}, weight, {});
      }
    }
  }
}

TEST_F(TuningParity, HoldsFromAStart) {
  const at::Tensor weight = (at::randn({6, 200}) * 0.05).to(at::kBFloat16);
  const at::Tensor signs = at::randn({6, 7}).sign();
  expect_parity({TunedCodes::Symmetric, 4, 32, 2}, weight, signs * 0.1 / 8);
  expect_parity({TunedCodes::Symmetric, 2, 32, 2}, weight, signs * 0.1 / 2);
  expect_parity({TunedCodes::Mx, 4, 32, 2}, weight, at::full({6, 7}, 0.5));
}

// One weight a group: each is the range of its own.
TEST_F(TuningParity, TakesEveryScale) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
    const at::Tensor every = finite_ones(all_patterns(dtype));
    for (const TunedCodes codes : kCodes) {
      SCOPED_TRACE(c10::str(dtype));
      const TunedScheme scheme = {codes, 4, 1};
      TunedWeight tuned = untuned(scheme, every);
      expect_rounded(scheme, tuned);
      tuned.rounding = at::rand(every.sizes()) - 0.5;
      tuned.max_factor = at::rand(tuned.max.sizes());
      expect_stepped(scheme, tuned, {at::randn(every.sizes())});
    }
  }
}

TEST_F(TuningParity, TakesTies) {
  at::Tensor weight = at::arange(-64, 64).to(at::kFloat).view({8, 16}) / 8;
  weight.select(1, 0).fill_(-8);
  for (const TunedCodes codes : kCodes) {
    const TunedScheme scheme = {codes, 4, 16};
    TunedWeight tuned = untuned(scheme, weight);
    for (const double shift : {-1.0, -0.5, -0.375, 0.0, 0.125, 0.5, 1.0}) {
      tuned.rounding.fill_(shift);
      expect_rounded(scheme, tuned);
      expect_stepped(scheme, tuned, {at::randn(weight.sizes())});
    }
  }
}

TEST_F(TuningParity, WritesOnlyWhatIsWanted) {
  const at::Tensor weight = at::randn({2, 40});
  for (const TunedCodes codes : kCodes) {
    const TunedScheme scheme = {codes, 4, 16};
    const TunedWeight tuned = untuned(scheme, weight);
    const RoundedWeight whole = rounded_by(reference_kernels(), scheme, tuned, at::kFloat);
    RoundedWeight values_alone = {at::empty_like(whole.values), {}, {}, {}};
    reference_kernels().round_tuned(scheme, tuned, values_alone);
    EXPECT_TRUE(same_bits(values_alone.values, whole.values));
    on_every_target([&](const KernelTable& cpu) {
      values_alone.values.zero_();
      cpu.round_tuned(scheme, tuned, values_alone);
      EXPECT_TRUE(same_bits(values_alone.values, whole.values));
    });
  }
}

TEST_F(TuningParity, HoldsForTheSearch) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t group_size : {1, 7, 16, 24, 128, 200}) {
      for (const at::ScalarType dtype : kDtypes) {
        SCOPED_TRACE(c10::str(bits, " bits, groups of ", group_size, " in ", dtype));
        at::Tensor weight = (at::randn({4, 200}) * 0.05).to(dtype);
        weight[1].zero_();
        weight[2].mul_(1e-4);
        at::Tensor importance = at::rand({200}) + 0.01;
        importance.slice(0, 0, 30).zero_();
        importance.masked_fill_(at::rand({200}) < 0.1, 0);
        const TunedScheme scheme = {TunedCodes::Symmetric, bits, group_size};
        const at::Tensor want = reference_kernels().search_scales(scheme, weight, importance);
        on_every_target([&](const KernelTable& cpu) {
          EXPECT_TRUE(same_bits(cpu.search_scales(scheme, weight, importance), want));
        });
      }
    }
  }
}

}  // namespace
}  // namespace oneshot::kernels
