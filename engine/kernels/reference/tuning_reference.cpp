// What a tuned weight becomes, and the steps of its parameters, in plain ATen. Integer codes are
// written as low … high around zero in both schemes: −zero_point … 2^bits − 1 − zero_point, where
// the symmetric one has the zero point 2^(bits−1).
#include "engine/kernels/reference/tuning_reference.h"

#include <ATen/ATen.h>

#include "engine/kernels/kernel_table.h"

namespace oneshot::kernels::reference {

at::Tensor grouped(const at::Tensor& matrix, int64_t group_size) {
  const int64_t columns = matrix.size(1);
  const int64_t groups = (columns - 1) / group_size + 1;
  return at::constant_pad_nd(matrix.to(at::kFloat), {0, groups * group_size - columns})
      .view({matrix.size(0), groups, group_size});
}

at::Tensor sum_of_groups(const at::Tensor& groups) {
  constexpr int64_t kSums = 16;
  const int64_t missing = (kSums - groups.size(2) % kSums) % kSums;
  const at::Tensor parts =
      at::constant_pad_nd(groups, {0, missing}).view({groups.size(0), groups.size(1), -1, kSums});
  at::Tensor sums = at::zeros({groups.size(0), groups.size(1), kSums}, groups.options());
  for (const at::Tensor& part : parts.unbind(2)) {
    sums = sums + part;
  }
  for (int64_t count = kSums / 2; count > 0; count /= 2) {
    sums = sums.narrow(2, 0, count) + sums.narrow(2, count, count);
  }
  return sums.squeeze(2);
}

namespace {

// 1e-5 in float16.
constexpr double kThreshold = 168 * 0x1p-24;

// [rows, groups, padded size] → [rows, columns].
at::Tensor ungrouped(const at::Tensor& groups, int64_t columns) {
  return groups.flatten(1).narrow(1, 0, columns);
}

at::Tensor below_threshold(const at::Tensor& scale) {
  return scale.to(at::kHalf).to(at::kFloat).abs() < kThreshold;
}

// The scales of the integer schemes, all [rows, groups].
struct Scales {
  at::Tensor scale;       // float32, as it is used
  at::Tensor fixed;       // bool: by the threshold, so that no gradient passes
  at::Tensor zero_point;  // float32, 0 … 2^bits − 1
};

// The ends of the range: `negative` and `positive` are its magnitudes on both sides.
struct Ends {
  at::Tensor negative, positive;
};
Ends ends_of(const TunedWeight& weight) {
  return {-(weight.min * weight.min_factor), weight.max * weight.max_factor};
}

double levels(const TunedScheme& scheme) {
  return (1 << scheme.bits) - 1;
}

at::Tensor exact_scale(const TunedScheme& scheme, const TunedWeight& weight) {
  if (weight.start.defined()) {
    return weight.start * weight.max_factor;
  }
  const auto [negative, positive] = ends_of(weight);
  if (scheme.codes == TunedCodes::Asymmetric) {
    return (positive + negative) / levels(scheme);
  }
  const at::Tensor largest = at::maximum(negative, positive);
  return at::where(positive < negative, largest, -largest) / (1 << (scheme.bits - 1));
}

Scales scales_of(const TunedScheme& scheme, const TunedWeight& weight) {
  const at::Tensor exact = exact_scale(scheme, weight);
  Scales result = {stored_scale(exact), below_threshold(exact), {}};
  if (scheme.codes == TunedCodes::Asymmetric) {
    const at::Tensor exact_zero = ends_of(weight).negative / result.scale;
    result.zero_point = exact_zero.round().clamp(0, levels(scheme)).add(0);  // no −0
  } else {
    result.zero_point = at::full_like(exact, 1 << (scheme.bits - 1));
  }
  return result;
}

// The elements of an integer scheme, [rows, groups, group_size].
struct Integers {
  at::Tensor quotient;  // weight ÷ scale
  at::Tensor code;      // low … high
  at::Tensor inside;    // bool: the clamp changed nothing
};

Integers integers_of(const TunedScheme& scheme, const TunedWeight& weight, const Scales& scales) {
  const at::Tensor quotient = grouped(weight.weight, scheme.group_size) / scales.scale.unsqueeze(2);
  const at::Tensor rounded =
      (quotient + grouped(weight.rounding, scheme.group_size)).round().add(0);  // no −0
  const at::Tensor low = at::rsub(scales.zero_point, 0).unsqueeze(2);           // no −0
  const at::Tensor code = at::minimum(at::maximum(rounded, low), low + levels(scheme));
  return {quotient, code, code == rounded};
}

// The elements of Mx, [rows, groups, group_size], and its powers of two, [rows, groups].
struct Mx {
  at::Tensor exponent;  // int64
  at::Tensor fixed;     // bool: no gradient passes through the exponent
  at::Tensor scale;     // 2^exponent
  at::Tensor scaled;    // weight ÷ scale
  at::Tensor value;     // what is rounded: scaled + rounding, not clamped
  at::Tensor codes;     // uint8 [rows, groups · group_size]
  at::Tensor rounded;   // value, clamped and rounded
};

at::Tensor power_of_two(const at::Tensor& exponent) {
  // 2^-127 is not a normal number: its bits are those of half of 2^-126.
  const at::Tensor normal = (exponent.clamp_min(-126) + 127).bitwise_left_shift(23).to(at::kInt);
  const at::Tensor power = normal.view(at::kFloat);
  return at::where(exponent < -126, power / 2, power);
}

Mx mx_of(const TunedScheme& scheme, const TunedWeight& weight) {
  const at::Tensor factor =
      weight.start.defined() ? weight.start * weight.max_factor : weight.max_factor;
  const at::Tensor largest = at::maximum(-weight.min, weight.max) * factor;
  // The exponent is in the bits 23 … 30; below the normal numbers they are 0.
  const at::Tensor floor = largest.view(at::kInt).to(at::kLong).bitwise_right_shift(23) - 127;
  const at::Tensor zero = largest == 0;
  Mx mx;
  mx.exponent = at::where(zero, at::full_like(floor, -1), (floor - 2).clamp_min(-127));
  mx.fixed = zero.logical_or(floor - 2 < -127);
  mx.scale = power_of_two(mx.exponent);
  mx.scaled = grouped(weight.weight, scheme.group_size) / mx.scale.unsqueeze(2);
  mx.value = mx.scaled + grouped(weight.rounding, scheme.group_size);
  const at::Tensor rows = mx.value.flatten(1);
  const at::Tensor one = at::ones({rows.size(0), 1}, rows.options());
  mx.codes = reference_kernels().encode_fp4(rows, one, rows.size(1));
  const at::Tensor meaning = at::tensor({0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F});
  const at::Tensor table = at::cat({meaning, -meaning}).to(rows.device());
  mx.rounded = table.index({mx.codes.to(at::kLong)}).view_as(mx.value);
  return mx;
}

void copy_where_wanted(const at::Tensor& to, const at::Tensor& from) {
  if (to.defined()) {
    to.copy_(from);
  }
}

void step_factor(const at::Tensor& factor, const at::Tensor& gradient, float rate, double limit) {
  factor.sub_(gradient.sign() * rate).clamp_(0, limit);
}

void step_rounding(const TunedWeight& weight, const at::Tensor& gradient, float rate) {
  weight.rounding.sub_(ungrouped(gradient.sign(), weight.weight.size(1)) * rate);
}

// The gradients of the factors, up to a positive number: of min_factor and of max_factor.
using FactorGradients = std::pair<at::Tensor, at::Tensor>;

FactorGradients symmetric_factors(const TunedWeight& weight,
                                  const Scales& scales,
                                  const at::Tensor& d_scale) {
  const at::Tensor passed = at::where(scales.fixed, 0, d_scale);
  if (weight.start.defined()) {
    return {at::zeros_like(passed), passed * weight.start};
  }
  // The larger end made the scale; at a tie both did.
  const auto [negative, positive] = ends_of(weight);
  const at::Tensor d_largest = at::where(positive < negative, passed, -passed);
  return {at::where(negative >= positive, d_largest * -weight.min, 0),
          at::where(positive >= negative, d_largest * weight.max, 0)};
}

FactorGradients asymmetric_factors(const TunedScheme& scheme,
                                   const TunedWeight& weight,
                                   const Scales& scales,
                                   const at::Tensor& d_scale,
                                   const at::Tensor& outside) {
  // A code at its limit stands for scale · (limit − zero point), whose zero point is −low ÷ scale.
  const at::Tensor low_codes = ends_of(weight).negative / scales.scale;
  const at::Tensor d_exact = d_scale + low_codes * outside;
  const at::Tensor share = at::where(scales.fixed, 0, d_exact) / levels(scheme);
  return {(outside - share) * weight.min, share * weight.max};
}

void step_integers(const TunedScheme& scheme,
                   const TunedWeight& weight,
                   const at::Tensor& gradient,
                   float rate,
                   float factor_rate) {
  const Scales scales = scales_of(scheme, weight);
  const Integers integers = integers_of(scheme, weight, scales);
  const at::Tensor g = grouped(gradient, scheme.group_size);
  const at::Tensor moved = at::where(integers.inside, integers.quotient, 0);
  const at::Tensor d_scale = sum_of_groups(g * (integers.code - moved));
  FactorGradients factors;
  if (scheme.codes == TunedCodes::Asymmetric) {
    const at::Tensor outside = sum_of_groups(at::where(integers.inside, 0, g));
    factors = asymmetric_factors(scheme, weight, scales, d_scale, outside);
  } else {
    factors = symmetric_factors(weight, scales, d_scale);
  }
  const at::Tensor sign = scales.scale.sign().unsqueeze(2);
  step_rounding(weight, at::where(integers.inside, g.sign() * sign, 0), rate);
  step_factor(weight.min_factor, factors.first, factor_rate, 1);
  step_factor(weight.max_factor, factors.second, factor_rate, scheme.factor_limit);
}

// With y the value, r what it is rounded to and u the power of two of y (1 below that): the peer's
// r = u/2 · round(2y/u) has, straight through the rounding, the slope 1 + u' · (r − y)/u, where
// u' = u/y from 1 on, and 0 below. That is r/y, and 1. At zero the peer's sign(y) gives 0.
void step_mx(const TunedScheme& scheme,
             const TunedWeight& weight,
             const at::Tensor& gradient,
             float rate,
             float factor_rate) {
  const Mx mx = mx_of(scheme, weight);
  const at::Tensor g = grouped(gradient, scheme.group_size);
  const at::Tensor passes = (mx.value.abs() <= 6).logical_and(mx.value != 0);
  // Slope · scaled. In this order: without a rounding parameter it is what it was rounded to.
  const at::Tensor moved_large = mx.rounded * (mx.scaled / mx.value);
  const at::Tensor moved =
      at::where(passes, at::where(mx.value.abs() >= 1, moved_large, mx.scaled), 0);
  const at::Tensor d_scale = sum_of_groups(g * (mx.rounded - moved));
  step_rounding(weight, at::where(passes, g, 0), rate);
  step_factor(weight.max_factor, at::where(mx.fixed, 0, d_scale), factor_rate, scheme.factor_limit);
}

}  // namespace

at::Tensor stored_scale(const at::Tensor& scale) {
  const at::Tensor rounded = scale.to(at::kHalf).to(at::kFloat);
  return at::where(
      rounded < 0, rounded.clamp_max(-kThreshold), rounded.clamp_min(kThreshold));  // −0: positive
}

void round_tuned(const TunedScheme& scheme, const TunedWeight& weight, RoundedWeight& out) {
  const int64_t columns = weight.weight.size(1);
  if (scheme.codes == TunedCodes::Mx) {
    const Mx mx = mx_of(scheme, weight);
    out.values.copy_(ungrouped(mx.rounded * mx.scale.unsqueeze(2), columns));
    copy_where_wanted(out.codes, mx.codes.narrow(1, 0, columns));
    copy_where_wanted(out.scale, mx.exponent + 127);
    return;
  }
  const Scales scales = scales_of(scheme, weight);
  const at::Tensor code = integers_of(scheme, weight, scales).code;
  const at::Tensor zero_point = scales.zero_point - (1 << (scheme.bits - 1));
  out.values.copy_(ungrouped(scales.scale.unsqueeze(2) * code, columns));
  copy_where_wanted(out.codes, ungrouped(code + zero_point.unsqueeze(2), columns));
  copy_where_wanted(out.scale, scales.scale);
  copy_where_wanted(out.zero_point, zero_point);
}

void sign_step(const TunedScheme& scheme,
               const TunedWeight& weight,
               const at::Tensor& gradient,
               float rate,
               float factor_rate) {
  const auto step = scheme.codes == TunedCodes::Mx ? step_mx : step_integers;
  step(scheme, weight, gradient, rate, factor_rate);
}

}  // namespace oneshot::kernels::reference
