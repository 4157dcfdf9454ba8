#include "modifiers/sign_round/round_to_nearest.h"

#include <ATen/ATen.h>

#include "engine/kernels/kernels.h"
#include "engine/quant/scales.h"

namespace oneshot::sign_round {
namespace {

constexpr double kSmallestScale = 1e-5;
constexpr double kLargestScale = 65504;  // of float16

bool is_finite(const at::Tensor& values) {
  return at::isfinite(values).all().item<bool>();
}

/// Ends of the range of each group, widened to hold 0: [rows, groups], in the weight's dtype.
struct Range {
  at::Tensor low, high;
};

at::Tensor symmetric_scale(const QuantArgs& args, const Range& range) {
  const at::Tensor end = at::where(range.high < -range.low, range.low, range.high);
  const at::Tensor scale = (end / args.code_min()).to(at::kHalf);
  return at::where(scale < 0,
                   scale.clamp(-kLargestScale, -kSmallestScale),
                   scale.clamp(kSmallestScale, kLargestScale));
}

at::Tensor asymmetric_scale(const QuantArgs& args, const Range& range) {
  const at::Tensor scale = (range.high - range.low) / (args.code_max() - args.code_min());
  return scale.to(at::kHalf).clamp(kSmallestScale, kLargestScale);
}

/// round(−low ÷ scale), in the signed space of the codes. The peer leaves it unclamped; the
/// rounding of the scale can carry it past the end with 8 bits.
at::Tensor zero_point_of(const QuantArgs& args, const Range& range, const at::Tensor& scale) {
  const at::Tensor exact = (-range.low / scale).round() + args.code_min();
  return exact.clamp(args.code_min(), args.code_max()).to(at::kChar);
}

/// A value of each group over the group's columns: [rows, columns].
at::Tensor over_columns(const at::Tensor& values, int64_t group, int64_t columns) {
  return values.repeat_interleave(group, 1).narrow(1, 0, columns);
}

/// round(w ÷ scale) + zero point: not the same as rounding their sum, where the quotient is a half.
at::Tensor asymmetric_codes(const QuantArgs& args,
                            const at::Tensor& weight,
                            const at::Tensor& scale,
                            const at::Tensor& zero_point,
                            int64_t group) {
  constexpr int kSumFitsInt8 = 6;  // |round(w ÷ scale)| ≤ 2^b, |zero point| ≤ 2^(b−1)
  const int64_t columns = weight.size(1);
  const at::Tensor zero_points = over_columns(zero_point, group, columns);
  if (args.bits <= kSumFitsInt8) {
    at::Tensor codes = kernels::encode_int(weight, scale, {}, group, 8);
    return codes.add_(zero_points)
        .clamp_(static_cast<int64_t>(args.code_min()), static_cast<int64_t>(args.code_max()));
  }
  at::Tensor codes = (weight / over_columns(scale, group, columns)).round_();
  codes = codes.to(at::kFloat).add_(zero_points);
  return codes.clamp_(args.code_min(), args.code_max()).to(at::kChar);
}

void encode_integers(const at::Tensor& weight,
                     const Range& range,
                     int64_t group,
                     QuantizedWeight& result) {
  const QuantArgs& args = result.scheme.weights;
  if (args.symmetric) {
    result.scale = symmetric_scale(args, range);
    result.codes = kernels::encode_int(weight, result.scale, {}, group, args.bits);
    return;
  }
  result.scale = asymmetric_scale(args, range);
  result.zero_point = zero_point_of(args, range, result.scale);
  result.codes = asymmetric_codes(args, weight, result.scale, result.zero_point, group);
}

void encode_float4(const at::Tensor& weight,
                   const Range& range,
                   int64_t group,
                   QuantizedWeight& result) {
  constexpr int kLargestExponent = 2;   // of a float4: 6 = 1.5 · 2^2
  constexpr int kExponentOfZeros = -1;  // what the peer gives a group of zeros
  const at::Tensor absmax = at::maximum(range.high, -range.low).to(at::kFloat);
  const at::Tensor exponent = absmax.view(at::kInt).bitwise_right_shift(23);  // biased by 127
  result.scale = (exponent - kLargestExponent)
                     .clamp_min(0)
                     .masked_fill(absmax == 0, 127 + kExponentOfZeros)
                     .to(at::kByte);
  const at::Tensor power = scale_value(result.scheme.weights, result.scale);
  result.codes = kernels::encode_fp4(weight, power, group);
}

}  // namespace

std::optional<QuantizedWeight> round_to_nearest(const Scheme& scheme, const at::Tensor& weight) {
  const int64_t group = columns_per_scale(scheme.weights, weight.size(1));
  const kernels::GroupRange found = kernels::group_range(weight, group);
  if (!is_finite(found.max) || !is_finite(found.min)) {
    return std::nullopt;
  }
  const Range range{found.min.clamp_max(0), found.max.clamp_min(0)};
  QuantizedWeight result;
  result.scheme = scheme;
  if (scheme.weights.type == NumberType::Int) {
    encode_integers(weight, range, group, result);
  } else {
    encode_float4(weight, range, group, result);
  }
  return result;
}

}  // namespace oneshot::sign_round
