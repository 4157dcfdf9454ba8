#include "modifiers/quantize/quantize_math.h"

#include <ATen/ATen.h>

#include "engine/kernels/kernels.h"
#include "engine/quant/scales.h"

namespace oneshot {
namespace {

bool is_finite(const at::Tensor& values) {
  return at::isfinite(values).all().item<bool>();
}

at::Tensor largest_magnitude(const ValueRange& range) {
  return at::maximum(range.min.abs(), range.max.abs());
}

/// [rows, columns of blocks] → [blocks, columns of blocks]; the last block of rows may be short.
at::Tensor over_block_rows(const at::Tensor& absmax, int64_t block_rows) {
  const int64_t missing = (block_rows - absmax.size(0) % block_rows) % block_rows;
  const at::Tensor whole = at::constant_pad_nd(absmax, {0, 0, 0, missing});
  return whole.view({-1, block_rows, absmax.size(1)}).amax(1);
}

/// Largest magnitude of all that shares a scale: in the shape of the scales.
at::Tensor absmax_of_scales(const QuantArgs& args, const at::Tensor& weight, int64_t group) {
  const at::Tensor absmax = kernels::group_absmax(weight, group);
  return args.strategy == Strategy::Block ? over_block_rows(absmax, args.block_rows) : absmax;
}

/// What each group spans, in the shape of the scales. min: undefined when symmetric, max then is
/// the largest magnitude.
struct GroupBounds {
  at::Tensor min, max;
};

GroupBounds bounds_of(const QuantArgs& args,
                      const at::Tensor& weight,
                      const ValueRange& range,
                      int64_t group) {
  const bool whole_tensor = args.strategy == Strategy::Tensor;
  if (args.symmetric) {
    return {{},
            whole_tensor ? largest_magnitude(range).reshape({1})
                         : absmax_of_scales(args, weight, group)};
  }
  if (whole_tensor) {
    return {range.min.reshape({1}), range.max.reshape({1})};
  }
  const kernels::GroupRange found = kernels::group_range(weight, group);
  return {found.min, found.max};
}

at::Tensor encode(const QuantArgs& args,
                  const at::Tensor& weight,
                  const Scales& scales,
                  int64_t group) {
  const int64_t rows = weight.size(0);
  const at::Tensor divisor = scale_of_rows(args, scales.divisor, rows);
  if (args.type == NumberType::Int) {
    const at::Tensor zero_point =
        scales.zero_point.defined() ? scale_of_rows(args, scales.zero_point, rows) : at::Tensor();
    return kernels::encode_int(weight, divisor, zero_point, group, args.bits);
  }
  return args.bits == 8 ? kernels::encode_fp8(weight, divisor, group)
                        : kernels::encode_fp4(weight, divisor, group);
}

constexpr int kMseSteps = 20;  // of one percent each
constexpr double kMseNorm = 2.4;

Scales scales_of(const QuantArgs& args, const GroupBounds& bounds, const at::Tensor& global_scale) {
  return args.symmetric ? symmetric_scales(args, bounds.max, global_scale)
                        : asymmetric_scales(args, bounds.min, bounds.max);
}

/// Sum of |rounded − w|^2.4 of each group, in the weight's dtype.
at::Tensor error_of(const QuantArgs& args,
                    const at::Tensor& weight,
                    const Scales& scales,
                    int64_t group) {
  QuantizedWeight rounded;
  rounded.scheme.weights = args;
  rounded.codes = encode(args, weight, scales, group);
  rounded.scale = scales.stored;
  rounded.zero_point = scales.zero_point;
  const int64_t rows = weight.size(0);
  const int64_t padding = scales.stored.size(1) * group - weight.size(1);
  const at::Tensor error =
      (dequantize(rounded).to(weight.scalar_type()) - weight).abs().pow(kMseNorm);
  return at::constant_pad_nd(error, {0, padding}).view({rows, -1, group}).sum(-1);
}

/// The bounds, shrunk by 0 … 19 percent, whose rounding loses least; ties go to the wider ones.
GroupBounds least_error_bounds(const QuantArgs& args,
                               const at::Tensor& weight,
                               const GroupBounds& whole,
                               int64_t group) {
  GroupBounds best = whole;
  at::Tensor best_error;
  for (int step = 0; step < kMseSteps; ++step) {
    const double share = 1 - step / 100.0;
    const GroupBounds shrunk{whole.min.defined() ? whole.min * share : whole.min,
                             whole.max * share};
    const at::Tensor error = error_of(args, weight, scales_of(args, shrunk, {}), group);
    if (!best_error.defined()) {
      best_error = error;
      continue;
    }
    const at::Tensor better = error < best_error;
    best_error = at::where(better, error, best_error);
    best.max = at::where(better, shrunk.max, best.max);
    if (whole.min.defined()) {
      best.min = at::where(better, shrunk.min, best.min);
    }
  }
  return best;
}

}  // namespace

ValueRange tensor_range(const at::Tensor& weight) {
  const kernels::GroupRange rows = kernels::group_range(weight, weight.size(1));
  // amax and amin pass NaN on; where a row is not finite, its max says so.
  return {rows.min.amin(), rows.max.amax()};
}

std::optional<QuantizedWeight> round_to_nearest(const Scheme& scheme,
                                                const at::Tensor& weight,
                                                const ValueRange& range) {
  const QuantArgs& args = scheme.weights;
  const int64_t group = columns_per_scale(args, weight.size(1));
  GroupBounds bounds = bounds_of(args, weight, range, group);
  if (!is_finite(bounds.max) || (bounds.min.defined() && !is_finite(bounds.min))) {
    return std::nullopt;
  }
  if (args.observer == "mse") {
    bounds = least_error_bounds(args, weight, bounds, group);
  }
  QuantizedWeight result;
  result.scheme = scheme;
  if (args.has_global_scale()) {
    result.global_scale = tensor_group_global_scale(largest_magnitude(range));
  }
  const Scales scales = scales_of(args, bounds, result.global_scale);
  result.codes = encode(args, weight, scales, group);
  result.scale = scales.stored;
  result.zero_point = scales.zero_point;
  return result;
}

}  // namespace oneshot
