// round_tuned and sign_step against the formula and its gradients by autograd, element by element;
// and the tables of the formats by hand. Every instruction set and the reference must agree.
#include <torch/csrc/autograd/autograd.h>

#include "tests/kernels/every_target.h"
#include "tests/kernels/tuned_weights.h"
#include "tests/kernels/tuning_formula.h"

namespace oneshot::kernels {
namespace {

template <class Check>
void on_all_kernels(const Check& check) {
  {
    SCOPED_TRACE("reference");
    check(reference_kernels());
  }
  on_every_target(check);
}

constexpr float kRate = 0.005F, kFactorRate = 0.01F;

// Rows of every kind: usual ones, zeros, one sign only, ends that tie, below the threshold of a
// scale, around it, exact ties between codes, large numbers.
at::Tensor some_rows(int64_t columns, at::ScalarType dtype) {
  const at::Tensor usual = at::randn({9, columns}) * 0.05;
  usual[1].zero_();
  usual[2].abs_();
  usual[3].abs_().neg_();
  usual[4] = at::where(usual[4] < 0, -0.25, 0.25);
  usual[5] *= 1e-6;
  usual[6] *= 1e-3;
  usual[7] = at::randint(-16, 17, {columns}).to(at::kFloat) * 0.0625;
  usual[8] *= 1000;
  return usual.to(dtype);
}

// In the middle of its tuning: rounding beyond ±1/2 in places, factors in [0, 1], some at an end.
TunedWeight some_state(const TunedScheme& scheme, const at::Tensor& weight) {
  TunedWeight tuned = untuned(scheme, weight);
  tuned.rounding = at::randn(weight.sizes()) * 0.4;
  tuned.rounding[0].zero_();
  tuned.rounding[7] = at::randint(-1, 2, {weight.size(1)}).to(at::kFloat) * 0.5;  // ties
  tuned.min_factor = at::rand(tuned.min.sizes()) * 0.7 + 0.3;
  tuned.max_factor = at::rand(tuned.max.sizes()) * 0.7 + 0.3;
  for (const int64_t row : {0, 1, 4, 7}) {
    tuned.min_factor[row].fill_(1);
    tuned.max_factor[row].fill_(1);
  }
  return tuned;
}

void expect_rounded(const KernelTable& table,
                    const TunedScheme& scheme,
                    const TunedWeight& tuned,
                    const Formula& formula) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    RoundedWeight out = rounded_buffers(scheme, tuned.weight, dtype);
    table.round_tuned(scheme, tuned, out);
    EXPECT_TRUE(at::equal(out.values, formula.values.detach().to(dtype))) << dtype;
    EXPECT_TRUE(at::equal(out.codes.to(at::kFloat), formula.codes)) << "codes";
    EXPECT_TRUE(at::equal(out.scale.to(at::kFloat), formula.scale.detach())) << "scale";
    if (out.zero_point.defined()) {
      EXPECT_TRUE(at::equal(out.zero_point.to(at::kFloat), formula.zero_point.detach()));
    }
  }
}

// Where the gradient of a factor is not zero only by rounding; `size` is that of its terms.
at::Tensor is_decided(const at::Tensor& gradient, const at::Tensor& size) {
  return (gradient == 0).logical_or(gradient.abs() > 3e-6 * size);
}

void expect_factor(const at::Tensor& found,
                   const at::Tensor& before,
                   const at::Tensor& gradient,
                   const at::Tensor& decided,
                   double limit) {
  const at::Tensor expected = (before - kFactorRate * gradient.sign()).clamp(0, limit);
  const at::Tensor wrong = (found != expected).logical_and(decided);
  EXPECT_EQ(wrong.sum().item<int64_t>(), 0)
      << "of " << found.numel() << ", first at " << wrong.nonzero()[0] << ": from "
      << before.masked_select(wrong)[0] << " to " << found.masked_select(wrong)[0]
      << " by gradient " << gradient.masked_select(wrong)[0];
}

struct Gradients {
  at::Tensor rounding, min_factor, max_factor, decided;
};

void expect_step(const KernelTable& table,
                 const TunedScheme& scheme,
                 const TunedWeight& before,
                 const at::Tensor& gradient,
                 const Gradients& expected) {
  const TunedWeight tuned = copy_of(before);
  table.sign_step(scheme, tuned, gradient, kRate, kFactorRate);
  EXPECT_TRUE(at::equal(tuned.rounding, before.rounding - kRate * expected.rounding.sign()));
  {
    SCOPED_TRACE("min_factor");
    expect_factor(tuned.min_factor, before.min_factor, expected.min_factor, expected.decided, 1);
  }
  SCOPED_TRACE("max_factor");
  expect_factor(tuned.max_factor,
                before.max_factor,
                expected.max_factor,
                expected.decided,
                scheme.factor_limit);
}

void expect_formula(const TunedScheme& scheme, const TunedWeight& tuned) {
  if (testing::Test::HasFailure()) {
    return;  // the others would only say the same
  }
  SCOPED_TRACE(text_of(scheme, tuned.weight));
  const auto leaf = [](const at::Tensor& x) { return x.clone().requires_grad_(true); };
  const Parameters parameters = {
      leaf(tuned.rounding), leaf(tuned.min_factor), leaf(tuned.max_factor)};
  const Formula formula = formula_of(scheme, tuned.weight, parameters, tuned.start);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    at::Tensor gradient = at::randn(tuned.weight.sizes()).to(dtype);
    gradient.masked_fill_(at::rand(gradient.sizes()) < 0.05, 0);
    const std::vector<at::Tensor> found =
        torch::autograd::grad({(formula.values * gradient.to(at::kFloat)).sum()},
                              {parameters.rounding, parameters.min_factor, parameters.max_factor},
                              {},
                              true,
                              false,
                              true);
    const auto or_zeros = [&](size_t i) {
      return found[i].defined() ? found[i] : at::zeros_like(tuned.min);
    };
    // Terms are no larger than a gradient times the range.
    const at::Tensor range = tuned.max - tuned.min;
    const at::Tensor size = range * std::sqrt(static_cast<double>(tuned.weight.size(1)));
    const Gradients expected = {
        found[0],
        or_zeros(1),
        or_zeros(2),
        is_decided(or_zeros(1), size).logical_and(is_decided(or_zeros(2), size))};
    EXPECT_GT(expected.decided.to(at::kFloat).mean().item<double>(), 0.85);
    on_all_kernels(
        [&](const KernelTable& table) { expect_step(table, scheme, tuned, gradient, expected); });
  }
  on_all_kernels([&](const KernelTable& table) { expect_rounded(table, scheme, tuned, formula); });
}

constexpr int64_t kGroupSizes[] = {128, 32, 16, 7, 24, -1};
constexpr at::ScalarType kDtypes[] = {at::kBFloat16, at::kFloat, at::kHalf};

// The table's entries take 1 … columns.
TunedScheme exact(TunedScheme scheme, const at::Tensor& weight) {
  const int64_t columns = weight.size(1);
  scheme.group_size = scheme.group_size < 0 ? columns : std::min(scheme.group_size, columns);
  return scheme;
}

void expect_formulas(TunedScheme scheme, int64_t columns, at::ScalarType dtype) {
  const at::Tensor weight = some_rows(columns, dtype);
  scheme = exact(scheme, weight);
  expect_formula(scheme, some_state(scheme, weight));
  expect_formula(scheme, untuned(scheme, weight));  // rounding to nearest
}

class Tuning : public testing::Test {
 protected:
  void SetUp() override { at::manual_seed(20); }
};

TEST_F(Tuning, SymmetricIntegers) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t group_size : kGroupSizes) {
      for (const int64_t columns : {128, 200}) {
        expect_formulas({TunedCodes::Symmetric, bits, group_size}, columns, at::kBFloat16);
      }
    }
  }
}

TEST_F(Tuning, AsymmetricIntegers) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t group_size : kGroupSizes) {
      for (const int64_t columns : {128, 200}) {
        expect_formulas({TunedCodes::Asymmetric, bits, group_size}, columns, at::kBFloat16);
      }
    }
  }
}

TEST_F(Tuning, Mx) {
  for (const int64_t group_size : kGroupSizes) {
    for (const int64_t columns : {128, 200}) {
      expect_formulas({TunedCodes::Mx, 4, group_size}, columns, at::kBFloat16);
    }
  }
}

TEST_F(Tuning, WeightsOfEveryDtype) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const TunedCodes codes : {TunedCodes::Symmetric, TunedCodes::Asymmetric, TunedCodes::Mx}) {
      expect_formulas({codes, 4, 32}, 64, dtype);
    }
  }
}

TEST_F(Tuning, StartsFromAScaleThatWasFound) {
  const at::Tensor weight = some_rows(64, at::kBFloat16);
  const TunedScheme integers = {TunedCodes::Symmetric, 4, 32, 2};
  TunedWeight tuned = some_state(integers, weight);
  tuned.max_factor = at::rand(tuned.max.sizes()) * 2;
  const at::Tensor largest = at::maximum(-tuned.min, tuned.max);
  tuned.start = largest / 8 * at::randn(largest.sizes()).sign();
  expect_formula(integers, tuned);

  const TunedScheme mx = {TunedCodes::Mx, 4, 32, 2};
  tuned.start = at::pow(at::Scalar(2.0), at::randint(-1, 2, largest.sizes()).to(at::kFloat));
  expect_formula(mx, tuned);
}

TEST_F(Tuning, FactorsStayWithinTheirLimits) {
  const at::Tensor weight = at::tensor({-1.0F, 0.3F, 0.9F, 0.1F}).unsqueeze(0);
  for (const double limit : {1.0, 2.0}) {
    const TunedScheme scheme = {TunedCodes::Asymmetric, 4, 4, limit};
    for (const float towards : {-1.0F, 1.0F}) {
      on_all_kernels([&](const KernelTable& table) {
        TunedWeight tuned = untuned(scheme, weight);
        for (int step = 0; step < 3; ++step) {
          // The last step alone is longer than the way from one limit to the other.
          table.sign_step(scheme, tuned, at::full({1, 4}, towards), 0.001F, 5.0F);
          EXPECT_TRUE(tuned.min_factor.eq(0).logical_or(tuned.min_factor.eq(1)).all().item<bool>());
          EXPECT_TRUE(
              tuned.max_factor.eq(0).logical_or(tuned.max_factor.eq(limit)).all().item<bool>());
        }
      });
    }
  }
}

struct HandCase {
  TunedCodes codes;
  std::vector<float> weight, code, value;
  float scale;
  int zero_point;
};

// Four bits, a group of four. 0.099975… is 1.5 ÷ 15 in float16, 0.06665… is 1 ÷ 15.
const HandCase kHandCases[] = {
    {TunedCodes::Symmetric, {-1, 0.5, 0.25, 0.75}, {-8, 4, 2, 6}, {-1, 0.5, 0.25, 0.75}, 0.125F, 0},
    {TunedCodes::Symmetric,
     {1, -0.5, 0.25, -0.75},
     {-8, 4, -2, 6},
     {1, -0.5, 0.25, -0.75},
     -0.125F,
     0},
    {TunedCodes::Symmetric,
     {1, -1, 0.0625, 0.1875},
     {-8, 7, 0, -2},
     {1, -0.875, 0, 0.25},
     -0.125F,
     0},
    {TunedCodes::Symmetric, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 168 * 0x1p-24F, 0},
    {TunedCodes::Asymmetric,
     {-0.5, 0.25, 1.0, 0.1},
     {0 - 8, 8 - 8, 15 - 8, 6 - 8},
     {-5 * 0.0999755859375F, 3 * 0.0999755859375F, 10 * 0.0999755859375F, 0.0999755859375F},
     0.0999755859375F,
     5 - 8},
    {TunedCodes::Asymmetric,
     {0.5, 0.25, 1.0, 0.1},
     {8 - 8, 4 - 8, 15 - 8, 2 - 8},
     {8 * 0.066650390625F, 4 * 0.066650390625F, 15 * 0.066650390625F, 2 * 0.066650390625F},
     0.066650390625F,
     0 - 8},
    // 5 and 2.5 are ties, 11 is above the largest value; the scale is 2^(3 − 2), its byte 128.
    {TunedCodes::Mx, {-10, 5, 15, 0}, {14, 4, 7, 0}, {-8, 4, 12, 0}, 128, 0},
    {TunedCodes::Mx, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 126, 0},
};

TEST_F(Tuning, TablesByHand) {
  for (const HandCase& c : kHandCases) {
    const at::Tensor weight = at::tensor(c.weight).unsqueeze(0);
    SCOPED_TRACE(c10::str(weight));
    const TunedScheme scheme = {c.codes, 4, 4};
    on_all_kernels([&](const KernelTable& table) {
      RoundedWeight out = rounded_buffers(scheme, weight, at::kFloat);
      table.round_tuned(scheme, untuned(scheme, weight), out);
      EXPECT_TRUE(at::equal(out.codes[0].to(at::kFloat), at::tensor(c.code))) << out.codes;
      EXPECT_TRUE(at::equal(out.values[0], at::tensor(c.value))) << out.values;
      EXPECT_EQ(out.scale.item<float>(), c.scale);
      if (out.zero_point.defined()) {
        EXPECT_EQ(out.zero_point.item<int>(), c.zero_point);
      }
    });
  }
}

// −8.5 rounds to the boundary −8 and keeps its gradient, 7.5 rounds to 8 and is clamped. The scale
// is −1: a gradient of 1 lowers the code, so the rounding goes up.
TEST_F(Tuning, StepsAtTheBoundaryByHand) {
  const TunedScheme scheme = {TunedCodes::Symmetric, 4, 4};
  const at::Tensor weight = at::tensor({8.0F, -7.0F, -6.0F, 3.0F}).unsqueeze(0);
  on_all_kernels([&](const KernelTable& table) {
    TunedWeight tuned = untuned(scheme, weight);
    tuned.rounding = at::tensor({-0.5F, 0.5F, 0.5F, 0.25F}).unsqueeze(0);
    table.sign_step(scheme, tuned, at::tensor({1.0F, 1.0F, -1.0F, 0.0F}).unsqueeze(0), 0.125F, 0);
    EXPECT_TRUE(at::equal(tuned.rounding[0], at::tensor({-0.375F, 0.5F, 0.375F, 0.25F})))
        << tuned.rounding;
  });
}

// Without positive numbers the zero point is the highest code. In 8 bits a scale of few steps of
// float16 would carry it beyond: 255 · 168.49 ÷ 168 = 255.7.
TEST_F(Tuning, ZeroPointsFit) {
  const TunedScheme scheme = {TunedCodes::Asymmetric, 8, 4};
  const float lowest = -255 * 168.49F * 0x1p-24F;
  const at::Tensor weight = at::tensor({lowest, lowest / 2, 0.0F, 0.0F}).unsqueeze(0);
  on_all_kernels([&](const KernelTable& table) {
    RoundedWeight out = rounded_buffers(scheme, weight, at::kFloat);
    table.round_tuned(scheme, untuned(scheme, weight), out);
    EXPECT_EQ(out.zero_point.item<int>(), 127);
    EXPECT_EQ(out.scale.item<float>(), 168 * 0x1p-24F);
    EXPECT_TRUE(at::equal(out.codes[0], at::tensor({-128, -1, 127, 127}).to(at::kChar)));
  });
  // With larger scales all is in range of itself: every lowest number of float16.
  const at::Tensor any = at::arange(0x0001, 0x7000).to(at::kShort).view(at::kHalf).neg();
  for (const int bits : {2, 3, 4, 5, 6, 7, 8}) {
    const TunedScheme wide = {TunedCodes::Asymmetric, bits, 1};
    RoundedWeight out = rounded_buffers(wide, any.unsqueeze(0), at::kFloat);
    round_tuned(wide, untuned(wide, any.unsqueeze(0)), out);
    EXPECT_EQ(out.zero_point.max().item<int>(), (1 << (bits - 1)) - 1);
    EXPECT_GE(out.zero_point.min().item<int>(), -(1 << (bits - 1)));
  }
}

TEST_F(Tuning, RowsAreIndependent) {
  const at::Tensor weight = some_rows(200, at::kBFloat16);
  const at::Tensor gradient = at::randn(weight.sizes()).to(at::kBFloat16);
  for (const TunedCodes codes : {TunedCodes::Symmetric, TunedCodes::Asymmetric, TunedCodes::Mx}) {
    const TunedScheme scheme = {codes, 4, 32};
    const TunedWeight whole = some_state(scheme, weight), parts = copy_of(whole);
    RoundedWeight all = rounded_buffers(scheme, weight, at::kBFloat16);
    RoundedWeight some = rounded_buffers(scheme, weight, at::kBFloat16);
    round_tuned(scheme, whole, all);
    sign_step(scheme, whole, gradient, kRate, kFactorRate);
    for (const auto& [first, count] : {std::pair{0, 2}, {2, 1}, {3, 6}}) {
      const TunedWeight rows = rows_of(parts, first, count);
      RoundedWeight out = rows_of(some, first, count);
      round_tuned(scheme, rows, out);
      sign_step(scheme, rows, gradient.narrow(0, first, count), kRate, kFactorRate);
    }
    EXPECT_TRUE(same_bits(some.values, all.values));
    EXPECT_TRUE(same_bits(some.codes, all.codes));
    EXPECT_TRUE(at::equal(some.scale, all.scale));
    EXPECT_TRUE(same_bits(parts.rounding, whole.rounding));
    EXPECT_TRUE(same_bits(parts.min_factor, whole.min_factor));
    EXPECT_TRUE(same_bits(parts.max_factor, whole.max_factor));
  }
}

}  // namespace
}  // namespace oneshot::kernels
