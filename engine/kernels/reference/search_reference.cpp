// The search of a starting scale in plain ATen.
#include <ATen/ATen.h>

#include "engine/kernels/reference/tuning_reference.h"
#include "engine/kernels/search_grid.h"

namespace oneshot::kernels::reference {
namespace {

constexpr float kTiny = 1e-30F;  // what is smaller has no reciprocal

at::Tensor guarded_reciprocal(const at::Tensor& x) {
  return at::where(x.abs() < kTiny, 0, x.reciprocal());
}

// 1 for the elements of a group, 0 for what fills up the last one: [1, groups, group_size].
at::Tensor real_elements(int64_t columns, int64_t group_size) {
  return grouped(at::ones({1, columns}), group_size);
}

// Σ over each group, [rows, groups, 1].
at::Tensor group_sum(const at::Tensor& groups) {
  return sum_of_groups(groups).unsqueeze(2);
}

// The importance of each element, [rows, groups, group_size]; see search_scales for the zeros.
at::Tensor filled_importance(const TunedScheme& scheme,
                             const at::Tensor& w,
                             const at::Tensor& importance) {
  const at::Tensor given = grouped(importance.unsqueeze(0), scheme.group_size);
  const at::Tensor real = real_elements(importance.size(0), scheme.group_size).to(w.device());
  const at::Tensor is_zero = given <= kTiny;
  const at::Tensor zeros = group_sum(real * is_zero);
  const at::Tensor others = group_sum(real) - zeros;
  const at::Tensor mean = group_sum(given) / others;
  const at::Tensor filled = at::where(is_zero, mean, given);
  at::Tensor of_weight = w.abs();
  if (scheme.bits > 3) {
    of_weight = of_weight + (group_sum(w * w) / 32).sqrt();
  }
  return at::where(zeros > others, of_weight, filled);
}

// The candidates in the order they are tried in: what the reciprocal of the largest magnitude is
// multiplied by.
at::Tensor candidate_factors(int bits) {
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
  return at::tensor(factors);
}

}  // namespace

at::Tensor search_scales(const TunedScheme& scheme,
                         const at::Tensor& weight,
                         const at::Tensor& importance) {
  const at::Tensor w = grouped(weight, scheme.group_size);
  const at::Tensor counts = filled_importance(scheme, w, importance);
  const at::Tensor of_largest = guarded_reciprocal(w.gather(2, w.abs().argmax(2, true)));
  const int half = 1 << (scheme.bits - 1);
  const at::Tensor inverse =
      of_largest * candidate_factors(scheme.bits).to(w.device());  // [rows, groups, candidates]
  const at::Tensor scale = guarded_reciprocal(inverse);
  at::Tensor loss = at::zeros_like(scale);
  for (int64_t i = 0; i < w.size(2); ++i) {  // in this order: the sum is part of the result
    const at::Tensor element = w.narrow(2, i, 1);
    const at::Tensor code = (element * inverse).clamp(-half, half - 1).round();
    const at::Tensor error = code * scale - element;
    loss = loss + error * error * counts.narrow(2, i, 1);
  }
  return stored_scale(scale.gather(2, loss.argmin(2, true)).squeeze(2)).contiguous();
}

}  // namespace oneshot::kernels::reference
