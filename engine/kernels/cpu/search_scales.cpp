// The search of a starting scale, one group after the other: its numbers stay in the first cache,
// and the candidates lie in the lanes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/search_scales.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/kernels/cpu/group_scales_inl.h"
#include "engine/kernels/cpu/sixteen_sums_inl.h"
#include "engine/kernels/search_grid.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float kTiny = 1e-30F;  // what is smaller has no reciprocal

// Σ of `count` numbers, a multiple of 16, that `number` gives from an index on.
template <class Number>
HWY_INLINE float sum_of(size_t count, const Number& number) {
  const SumTag df;
  SixteenSums sums;
  for (size_t i = 0; i < count; i += kSums) {
    for (size_t lane = 0; lane < kSums; lane += hn::Lanes(df)) {
      sums.add(df, lane, number(i + lane));
    }
  }
  return sums.total();
}

// The candidates: what the reciprocal of a group's largest magnitude is multiplied by, in the order
// they are tried in, filled up with the first to whole vectors.
HWY_INLINE std::vector<float> factors_of(int bits) {
  const SearchGrid grid = search_grid(bits);
  const auto factor = [&](int k) {
    return static_cast<float>(-((1 << (bits - 1)) - grid.step * k));
  };
  std::vector<float> factors = {factor(0)};
  for (int k = -grid.steps; k <= grid.steps; ++k) {
    if (k != 0) {
      factors.push_back(factor(k));
    }
  }
  const size_t lanes = hn::Lanes(hn::ScalableTag<float>());
  factors.resize((factors.size() + lanes - 1) / lanes * lanes, factor(0));
  return factors;
}

// The candidates' scales and losses of one group.
struct Candidates {
  std::vector<float> factors, scale, loss;

  explicit Candidates(int bits)
      : factors(factors_of(bits)), scale(factors.size()), loss(factors.size()) {}
};

// One group as float32.
struct SearchGroup {
  const float *w, *importance;
  size_t size;
};

// A vector of candidates at a time: Σ importance · (code · scale − w)², one element after the
// other, for codes w · inverse scale, clamped and rounded.
HWY_INLINE void try_candidates(const SearchGroup& group,
                               float of_largest,
                               float half,
                               Candidates& candidates) {
  const hn::ScalableTag<float> df;
  const auto low = hn::Set(df, -half), high = hn::Set(df, half - 1);
  for (size_t k = 0; k < candidates.factors.size(); k += hn::Lanes(df)) {
    const auto inverse = hn::Mul(hn::LoadU(df, &candidates.factors[k]), hn::Set(df, of_largest));
    const auto is_tiny = hn::Lt(hn::Abs(inverse), hn::Set(df, kTiny));
    const auto scale = hn::IfThenZeroElse(is_tiny, hn::Div(hn::Set(df, 1.0F), inverse));
    auto loss = hn::Zero(df);
    for (size_t i = 0; i < group.size; ++i) {
      const auto w = hn::Set(df, group.w[i]);
      const auto code = rounded(df, hn::Min(hn::Max(hn::Mul(w, inverse), low), high));
      const auto error = hn::Sub(hn::Mul(code, scale), w);
      const auto weighted = hn::Mul(hn::Mul(error, error), hn::Set(df, group.importance[i]));
      loss = hn::Add(loss, weighted);
    }
    hn::StoreU(scale, df, &candidates.scale[k]);
    hn::StoreU(loss, df, &candidates.loss[k]);
  }
}

HWY_INLINE float searched_scale(const SearchGroup& group, int bits, Candidates& candidates) {
  const auto largest = std::max_element(
      group.w, group.w + group.size, [](float a, float b) { return std::abs(a) < std::abs(b); });
  const float of_largest = std::abs(*largest) < kTiny ? 0.0F : 1.0F / *largest;
  try_candidates(group, of_largest, static_cast<float>(1 << (bits - 1)), candidates);
  const auto best = std::min_element(candidates.loss.begin(), candidates.loss.end());
  return candidates.scale[static_cast<size_t>(best - candidates.loss.begin())];
}

// The importance of a group's columns with its zeros filled by the mean of the others, or nothing
// where more than half of them are zero: then that of a row's weights counts.
HWY_INLINE bool fill_importance(const float* given, size_t count, std::vector<float>& to) {
  std::copy(given, given + count, to.begin());
  std::fill(to.begin() + static_cast<ptrdiff_t>(count), to.end(), 0.0F);
  const SumTag df;
  const size_t padded = (count + kSums - 1) / kSums * kSums;
  const float sum = sum_of(padded, [&](size_t i) HWY_ATTR { return hn::LoadU(df, &to[i]); });
  const auto zeros =
      static_cast<size_t>(std::count_if(given, given + count, [](float x) { return x <= kTiny; }));
  const float mean = sum / static_cast<float>(count - zeros);
  std::replace_if(
      to.begin(),
      to.begin() + static_cast<ptrdiff_t>(count),
      [](float x) { return x <= kTiny; },
      mean);
  return 2 * zeros <= count;
}

// |w|, from 4 bits on + √(Σ w² ÷ 32).
HWY_INLINE void importance_of_weights(const std::vector<float>& w,
                                      size_t padded,
                                      int bits,
                                      std::vector<float>& to) {
  const SumTag df;
  const float squares = sum_of(padded, [&](size_t i) HWY_ATTR {
    const auto v = hn::LoadU(df, &w[i]);
    return hn::Mul(v, v);
  });
  const float more = bits > 3 ? std::sqrt(squares / 32) : 0.0F;
  for (size_t i = 0; i < padded; ++i) {
    to[i] = std::abs(w[i]) + more;
  }
}

template <class Weight>
HWY_INLINE void search_rows(const SearchJob& job) {
  const Groups& in = job.in;
  const auto* weight = static_cast<const typename Weight::Bits*>(in.weight);
  const size_t most = (in.group_size + kSums - 1) / kSums * kSums;
  std::vector<float> w(most), importance(most), of_weights(most);
  Candidates candidates(job.bits);
  size_t group = 0;
  for (size_t begin = 0; begin < in.columns; begin += in.group_size, ++group) {
    const size_t count = std::min(in.group_size, in.columns - begin);
    const size_t padded = (count + kSums - 1) / kSums * kSums;
    const bool enough = fill_importance(job.importance + begin, count, importance);
    std::fill(w.begin(), w.end(), 0.0F);
    for (size_t row = 0; row < in.rows; ++row) {
      const auto* from = weight + row * in.columns + begin;
      for_each_vector(count, [&](auto df, size_t i) HWY_ATTR {
        hn::StoreU(Weight::load(df, from + i), df, &w[i]);
      });
      if (!enough) {
        importance_of_weights(w, padded, job.bits, of_weights);
      }
      const float* counts = enough ? importance.data() : of_weights.data();
      job.scale[row * in.groups() + group] =
          searched_scale({w.data(), counts, count}, job.bits, candidates);
    }
  }
}

void search_all(const SearchJob& job) {
  switch (job.in.storage) {
    case Storage::BFloat16:
      search_rows<BFloat16>(job);
      break;
    case Storage::Float16:
      search_rows<Float16>(job);
      break;
    case Storage::Float32:
      search_rows<Float32>(job);
      break;
  }
  for_each_vector(job.in.rows * job.in.groups(), [&](auto df, size_t i) HWY_ATTR {
    const auto half = to_float16(df, hn::LoadU(df, job.scale + i));
    hn::StoreU(above_threshold(df, half), df, job.scale + i);
  });
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
HWY_EXPORT(search_all);

at::Tensor search_scales(const TunedScheme& scheme,
                         const at::Tensor& weight,
                         const at::Tensor& importance) {
  const Groups in = groups_of(weight, scheme.group_size);
  at::Tensor scale = at::empty({weight.size(0), static_cast<int64_t>(in.groups())}, at::kFloat);
  HWY_DYNAMIC_DISPATCH(search_all)
  ({.in = in,
    .bits = scheme.bits,
    .importance = importance.const_data_ptr<float>(),
    .scale = scale.mutable_data_ptr<float>()});
  return scale;
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
