#include "tests/kernels/tuning_formula.h"

#include <algorithm>
#include <cmath>

namespace oneshot::kernels {
namespace {

const double kThreshold = at::scalar_tensor(1e-5).to(at::kHalf).item<double>();

at::Tensor straight_through(const at::Tensor& exact, const at::Tensor& rounded) {
  return (exact - exact.detach()) + rounded.detach();  // the first is exactly 0
}
at::Tensor round_through(const at::Tensor& x) {
  return straight_through(x, x.round());
}
at::Tensor half_through(const at::Tensor& x) {
  return straight_through(x, x.detach().to(at::kHalf).to(at::kFloat));
}

// [rows, columns] → [rows, groups, size], and back.
at::Tensor in_groups(const at::Tensor& matrix, int64_t size) {
  const int64_t columns = matrix.size(1);
  const int64_t padded = (columns + size - 1) / size * size;
  return at::constant_pad_nd(matrix, {0, padded - columns}).reshape({matrix.size(0), -1, size});
}
at::Tensor in_rows(const at::Tensor& groups, int64_t columns) {
  return groups.reshape({groups.size(0), -1}).slice(1, 0, columns);
}

// The groups of a weight, and their parameters beside them: [rows, groups, size or 1].
struct Groups {
  at::Tensor w, v, min, max, min_factor, max_factor, start;
};
Groups groups_of(const at::Tensor& weight,
                 const Parameters& parameters,
                 const at::Tensor& start,
                 int64_t size) {
  Groups g;
  g.w = in_groups(weight.to(at::kFloat), size);
  g.v = in_groups(parameters.rounding, size);
  g.min = g.w.amin(-1, true).clamp_max(0);
  g.max = g.w.amax(-1, true).clamp_min(0);
  g.min_factor = parameters.min_factor.unsqueeze(-1);
  g.max_factor = parameters.max_factor.unsqueeze(-1);
  g.start = start.defined() ? start.unsqueeze(-1) : start;
  return g;
}

Formula symmetric(const TunedScheme& scheme, const Groups& g, int64_t columns) {
  const double half = std::pow(2, scheme.bits - 1);
  at::Tensor scale;
  if (g.start.defined()) {
    scale = half_through(g.start * g.max_factor);
  } else {
    const at::Tensor negative = -(g.min * g.min_factor), positive = g.max * g.max_factor;
    const at::Tensor sign = (positive < negative).to(at::kFloat) * 2 - 1;
    scale = half_through(sign * at::max(positive, negative) / half);
  }
  scale = at::where(scale < 0, scale.clamp_max(-kThreshold), scale.clamp_min(kThreshold));
  const at::Tensor code = round_through(g.w / scale + g.v).clamp(-half, half - 1);
  return {in_rows(scale * code, columns), in_rows(code, columns), scale.squeeze(-1), {}};
}

Formula asymmetric(const TunedScheme& scheme, const Groups& g, int64_t columns) {
  const double top = std::pow(2, scheme.bits) - 1, half = std::pow(2, scheme.bits - 1);
  const at::Tensor low = g.min * g.min_factor, high = g.max * g.max_factor;
  const at::Tensor scale = half_through((high - low) / top).clamp_min(kThreshold);
  const at::Tensor exact_zero = -low / scale;
  const at::Tensor zero = straight_through(exact_zero, exact_zero.round().clamp(0, top));
  const at::Tensor code = (round_through(g.w / scale + g.v) + zero).clamp(0, top);
  return {in_rows(scale * (code - zero), columns),
          in_rows(code - half, columns),
          scale.squeeze(-1),
          zero.squeeze(-1) - half};
}

// One step of straight-through floor of log2, taken exactly: the largest integer e with 2^e ≤ x.
at::Tensor floor_of_log2(const at::Tensor& x) {
  const at::Tensor exact = x.detach().to(at::kDouble).log2().floor().to(at::kFloat);
  return straight_through(x.log2(), exact);
}

// An element of FP4 as the peer rounds it: by its own exponent, magnitude and sign apart.
at::Tensor element(const at::Tensor& y) {
  const at::Tensor is_zero = (y == 0).to(at::kFloat);
  const at::Tensor exponent = floor_of_log2(y.abs() + is_zero).clamp_min(0);
  const at::Tensor power = at::pow(at::Scalar(2.0), exponent);
  const at::Tensor doubled = y / power * 2;
  const at::Tensor magnitude = doubled.abs();
  const at::Tensor tie_to_even = ((magnitude - 0.5).remainder(2) == 0).to(at::kFloat);
  const at::Tensor up = magnitude + 0.5;
  const at::Tensor rounded = straight_through(up, up.floor()) - tie_to_even;
  return (doubled.sign() * rounded / 2 * power).clamp(-6, 6);
}

Formula mx(const Groups& g, int64_t columns) {
  at::Tensor largest = g.w.abs().amax(-1, true);
  largest = largest * (g.start.defined() ? g.start * g.max_factor : g.max_factor);
  const at::Tensor is_zero = largest == 0;
  // A number in place of zero, so that no infinite slope meets the zero of the other branch.
  const at::Tensor log = floor_of_log2(at::where(is_zero, at::ones_like(largest), largest));
  const at::Tensor exponent = (at::where(is_zero, at::ones_like(log), log) - 2).clamp(-127, 127);
  const at::Tensor scale = at::pow(at::Scalar(2.0), exponent);
  const at::Tensor value = element((g.w / scale + g.v).clamp(-6, 6));
  const at::Tensor table = at::tensor({0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0}).to(at::kFloat);
  const at::Tensor index = at::searchsorted(table, value.detach().abs().contiguous());
  const at::Tensor negative = (g.w / scale + g.v).detach() < 0;
  return {in_rows(value * scale, columns),
          in_rows(index + negative.to(at::kLong) * 8, columns).to(at::kFloat),
          exponent.squeeze(-1) + 127,
          {}};
}

}  // namespace

Formula formula_of(const TunedScheme& scheme,
                   const at::Tensor& weight,
                   const Parameters& parameters,
                   const at::Tensor& start) {
  const int64_t columns = weight.size(1);
  const int64_t size = scheme.group_size == -1 ? columns : std::min(scheme.group_size, columns);
  const Groups groups = groups_of(weight, parameters, start, size);
  switch (scheme.codes) {
    case TunedCodes::Symmetric:
      return symmetric(scheme, groups, columns);
    case TunedCodes::Asymmetric:
      return asymmetric(scheme, groups, columns);
    case TunedCodes::Mx:
      return mx(groups, columns);
  }
  return {};
}

}  // namespace oneshot::kernels
