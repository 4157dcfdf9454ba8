#include "engine/quant/scales.h"

#include <ATen/ATen.h>

#include <limits>

namespace oneshot {
namespace {

constexpr double kFp8Max = 448.0;
constexpr double kFp4Max = 6.0;

/// Difference between 1 and the next number: 2^-7 for bfloat16.
double machine_epsilon(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBFloat16:
      return std::numeric_limits<c10::BFloat16>::epsilon();
    case at::kHalf:
      return std::numeric_limits<c10::Half>::epsilon();
    default:
      return std::numeric_limits<float>::epsilon();
  }
}

double smallest_normal(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBFloat16:
      return std::numeric_limits<c10::BFloat16>::min();
    case at::kHalf:
      return std::numeric_limits<c10::Half>::min();
    default:
      return std::numeric_limits<float>::min();
  }
}

at::Tensor zeros_replaced(const at::Tensor& scale, double epsilon) {
  return scale.masked_fill(scale == 0, epsilon);
}

/// Exponents, biased by 127, of the powers of two that scale groups of micro-scaled floats.
/// A mantissa of 1.75 or more goes up to the next power, others go down.
/// In float32 for every dtype: in float16 the peer's carry overflows at 57344 and above.
at::Tensor e8m0_exponents(const QuantArgs& args, const at::Tensor& absmax) {
  constexpr int64_t kQuarter = 1 << 21;  // of a float32 mantissa
  constexpr int64_t kExponentBits = 0x7F800000;
  const at::Tensor bits = absmax.to(at::kFloat).view(at::kInt);
  const at::Tensor exponent = (bits + kQuarter).bitwise_and(kExponentBits).bitwise_right_shift(23);
  const int element_exponent = args.bits == 8 ? 8 : 2;  // of the largest power of two: 256, 4
  return (exponent - element_exponent).clamp_min(0).to(at::kByte);
}

/// 2^(exponent − 127) in float32. Exponent 0 is 2^-127, a subnormal.
at::Tensor e8m0_powers(const at::Tensor& exponents) {
  const at::Tensor bits = exponents.to(at::kInt).bitwise_left_shift(23);
  return bits.masked_fill(exponents == 0, 1 << 22).view(at::kFloat);
}

/// The powers as the weight's dtype can hold them; where that is zero, 1.
Scales e8m0_scales(const at::Tensor& exponents, at::ScalarType weight_dtype) {
  const at::Tensor power = e8m0_powers(exponents).to(weight_dtype);
  const at::Tensor lost = power == 0;
  return {exponents.masked_fill(lost, 127), power.masked_fill(lost, 1), {}};
}

/// Rounds scales that were computed in float32 to float16, which may also be their storage.
at::Tensor to_float16_scale(const at::Tensor& scale) {
  const double largest = std::numeric_limits<c10::Half>::max();
  return zeros_replaced(scale.clamp(-largest, largest).to(at::kHalf), machine_epsilon(at::kHalf));
}

}  // namespace

Scales symmetric_scales(const QuantArgs& args,
                        const at::Tensor& absmax,
                        const at::Tensor& global_scale) {
  if (args.is_mx()) {
    return e8m0_scales(e8m0_exponents(args, absmax), absmax.scalar_type());
  }
  const double half_range = (args.code_max() - args.code_min()) / 2;
  if (args.scale_dtype == ScaleDtype::F16) {
    const at::Tensor scale = to_float16_scale(absmax.to(at::kFloat) / half_range);
    return {scale, scale, {}};
  }
  at::Tensor scale = absmax / half_range;
  if (!args.has_global_scale()) {
    scale = zeros_replaced(scale, machine_epsilon(scale.scalar_type()));
    return {scale, scale, {}};
  }
  scale = (global_scale * scale).clamp(-kFp8Max, kFp8Max).to(at::kFloat8_e4m3fn).to(at::kFloat);
  scale = zeros_replaced(scale, 0.125);
  return {scale.to(at::kFloat8_e4m3fn), scale / global_scale, {}};
}

Scales asymmetric_scales(const QuantArgs& args, const at::Tensor& min, const at::Tensor& max) {
  const at::Tensor low = min.clamp_max(0);
  const at::Tensor high = max.clamp_min(0);
  const double range = args.code_max() - args.code_min();
  const bool half = args.scale_dtype == ScaleDtype::F16;
  const at::Tensor raw = half ? to_float16_scale((high.to(at::kFloat) - low.to(at::kFloat)) / range)
                              : (high - low) / range;
  // 0 ÷ 0, the zero point of a group of zeros, is not a number: 0.
  const at::Tensor exact = (-(low / raw) + args.code_min()).clamp(args.code_min(), args.code_max());
  const at::Tensor zero_point =
      at::where(high == low, at::zeros_like(exact), exact).round().to(at::kChar);
  const at::Tensor scale = zeros_replaced(raw, machine_epsilon(raw.scalar_type()));
  return {scale, scale, zero_point};
}

at::Tensor tensor_group_global_scale(const at::Tensor& absmax) {
  const at::Tensor floored = absmax.clamp_min(smallest_normal(absmax.scalar_type()));
  const at::Tensor scale = floored.reciprocal() * (kFp8Max * kFp4Max);
  return scale.nan_to_num(1.0, 1.0, 1.0).to(at::kFloat).reshape({1});
}

InputScales input_scales(const QuantArgs& args, const ValueRange& range) {
  const at::Tensor absmax = at::maximum(range.min.abs(), range.max.abs()).reshape({1});
  if (args.has_global_scale()) {
    return {{}, {}, tensor_group_global_scale(absmax)};
  }
  const Scales scales =
      args.symmetric ? symmetric_scales(args, absmax, {})
                     : asymmetric_scales(args, range.min.reshape({1}), range.max.reshape({1}));
  return {scales.stored, scales.zero_point, {}};
}

at::Tensor scale_of_rows(const QuantArgs& args, const at::Tensor& scale, int64_t rows) {
  switch (args.strategy) {
    case Strategy::Tensor:
      return scale.reshape({1, 1}).expand({rows, 1}).contiguous();
    case Strategy::Block:
      return scale.repeat_interleave(args.block_rows, 0).narrow(0, 0, rows).contiguous();
    default:
      return scale;
  }
}

at::Tensor scale_value(const QuantArgs& args, const at::Tensor& stored) {
  if (args.is_mx()) {
    return e8m0_powers(stored);
  }
  return args.scale_dtype == ScaleDtype::F8E4M3 ? stored.to(at::kFloat) : stored;
}

}  // namespace oneshot
