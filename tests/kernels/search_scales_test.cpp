// The search of a starting scale against a plain one in double, group by group.
#include <cmath>

#include "tests/kernels/every_target.h"

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

using Numbers = std::vector<double>;

Numbers numbers_of(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.to(at::kDouble).contiguous();
  return Numbers(plain.const_data_ptr<double>(), plain.const_data_ptr<double>() + plain.numel());
}

// The importance of a group as it counts: zeros replaced.
Numbers filled(const Numbers& given, const Numbers& w, int bits) {
  const double count = static_cast<double>(w.size());
  double zeros = 0, sum = 0, squares = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    zeros += given[i] == 0 ? 1 : 0;
    sum += given[i];
    squares += w[i] * w[i];
  }
  Numbers result = given;
  for (size_t i = 0; i < w.size(); ++i) {
    if (zeros > std::floor(count / 2)) {
      result[i] = std::abs(w[i]) + (bits <= 3 ? 0 : std::sqrt(squares / 32));
    } else if (given[i] == 0) {
      result[i] = sum / (count - zeros);
    }
  }
  return result;
}

double loss_of(const Numbers& w, const Numbers& importance, double scale, int bits) {
  const double half = std::pow(2, bits - 1);
  double loss = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    const double code = std::min(std::max(std::nearbyint(w[i] / scale), -half), half - 1);
    loss += importance[i] * (code * scale - w[i]) * (code * scale - w[i]);
  }
  return loss;
}

// The scale of the least loss.
double searched(const Numbers& w, const Numbers& importance, int bits) {
  double largest = 0;
  for (const double x : w) {
    largest = std::abs(x) > std::abs(largest) ? x : largest;
  }
  const double half = std::pow(2, bits - 1);
  const int steps = bits == 2 ? 90 : 100;
  const double step = bits == 2 ? 0.01 : 0.75 * half / 100;
  double best = largest / -half, best_loss = loss_of(w, importance, best, bits);
  for (int k = -steps; k <= steps; ++k) {
    const double scale = largest / -(half - step * k);
    const double loss = loss_of(w, importance, scale, bits);
    if (loss < best_loss) {
      best = scale;
      best_loss = loss;
    }
  }
  return best;
}

// Every group's scale, or one of the same loss: two candidates may differ by rounding alone.
void expect_searched(const TunedScheme& scheme,
                     const at::Tensor& weight,
                     const at::Tensor& importance) {
  SCOPED_TRACE(c10::str(scheme.bits, " bits in groups of ", scheme.group_size));
  on_all_kernels([&](const KernelTable& table) {
    const at::Tensor found = table.search_scales(scheme, weight, importance);
    const int64_t groups = (weight.size(1) - 1) / scheme.group_size + 1;
    ASSERT_EQ(found.sizes(), (std::vector<int64_t>{weight.size(0), groups}));
    EXPECT_TRUE(at::equal(found, found.to(at::kHalf).to(at::kFloat)));
    int64_t others = 0;
    for (int64_t row = 0; row < weight.size(0); ++row) {
      for (int64_t group = 0; group < groups; ++group) {
        const int64_t first = group * scheme.group_size;
        const int64_t end = std::min(first + scheme.group_size, weight.size(1));
        const Numbers w = numbers_of(weight[row].slice(0, first, end));
        const Numbers factors = filled(numbers_of(importance.slice(0, first, end)), w, scheme.bits);
        const double scale = searched(w, factors, scheme.bits);
        const double got = found[row][group].item<double>();
        if (at::scalar_tensor(scale).to(at::kHalf).item<double>() != got) {
          ++others;
          EXPECT_LE(loss_of(w, factors, got, scheme.bits),
                    1.01 * loss_of(w, factors, scale, scheme.bits));
        }
      }
    }
    EXPECT_LE(others, weight.size(0) * groups / 20);
  });
}

TEST(SearchScales, FindsTheLeastLoss) {
  at::manual_seed(3);
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t group_size : {128, 32, 24}) {
      const at::Tensor weight = (at::randn({3, 128}) * 0.05).to(at::kBFloat16);
      expect_searched({TunedCodes::Symmetric, bits, group_size}, weight, at::rand({128}));
    }
  }
}

TEST(SearchScales, FillsZerosOfTheImportance) {
  at::manual_seed(4);
  for (const int bits : {2, 4}) {
    const at::Tensor weight = at::randn({3, 96}) * 0.05;
    at::Tensor importance = at::rand({96});
    importance.slice(0, 0, 20).zero_();   // most of the first group: its weights count
    importance.slice(0, 40, 50).zero_();  // some of the second: their mean
    expect_searched({TunedCodes::Symmetric, bits, 32}, weight, importance);
    expect_searched({TunedCodes::Symmetric, bits, 32}, weight, at::zeros({96}));
  }
}

TEST(SearchScales, KeepsTheSignAndTheThreshold) {
  // Exact codes: nothing is better than the range itself. Then zeros, and numbers that are tiny.
  const at::Tensor weight = at::tensor({-1.0F,
                                        0.5F,
                                        0.25F,
                                        0.75F,
                                        1.0F,
                                        -0.5F,
                                        -0.25F,
                                        0.75F,
                                        0.0F,
                                        0.0F,
                                        0.0F,
                                        0.0F,
                                        1e-7F,
                                        -1e-8F,
                                        0.0F,
                                        0.0F})
                                .view({4, 4});
  const at::Tensor expected =
      at::tensor({0.125F, -0.125F, 168 * 0x1p-24F, 168 * 0x1p-24F}).unsqueeze(1);
  on_all_kernels([&](const KernelTable& table) {
    const TunedScheme scheme = {TunedCodes::Symmetric, 4, 4};
    EXPECT_TRUE(same_bits(table.search_scales(scheme, weight, at::ones({4})), expected));
  });
}

}  // namespace
}  // namespace oneshot::kernels
