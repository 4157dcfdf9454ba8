#include "modifiers/quantize/quantize_math.h"

#include <ATen/ATen.h>

#include "engine/kernels/kernels.h"
#include "engine/quant/scales.h"

namespace oneshot {
namespace {

bool is_finite(const at::Tensor& values) {
  return at::isfinite(values).all().item<bool>();
}

at::Tensor largest_magnitude(const TensorRange& range) {
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

}  // namespace

TensorRange tensor_range(const at::Tensor& weight) {
  const kernels::GroupRange rows = kernels::group_range(weight, weight.size(1));
  // amax and amin pass NaN on; where a row is not finite, its max says so.
  return {rows.min.amin(), rows.max.amax()};
}

std::optional<QuantizedWeight> round_to_nearest(const Scheme& scheme,
                                                const at::Tensor& weight,
                                                const TensorRange& range) {
  const QuantArgs& args = scheme.weights;
  const int64_t group = columns_per_scale(args, weight.size(1));
  const bool whole_tensor = args.strategy == Strategy::Tensor;
  Scales scales;
  QuantizedWeight result;
  result.scheme = scheme;
  if (args.symmetric) {
    const at::Tensor absmax = whole_tensor ? largest_magnitude(range).reshape({1})
                                           : absmax_of_scales(args, weight, group);
    if (!is_finite(absmax)) {
      return std::nullopt;
    }
    if (args.has_global_scale()) {
      result.global_scale = tensor_group_global_scale(largest_magnitude(range));
    }
    scales = symmetric_scales(args, absmax, result.global_scale);
  } else {
    const kernels::GroupRange found =
        whole_tensor ? kernels::GroupRange{range.min.reshape({1}), range.max.reshape({1})}
                     : kernels::group_range(weight, group);
    if (!is_finite(found.min) || !is_finite(found.max)) {
      return std::nullopt;
    }
    scales = asymmetric_scales(args, found.min, found.max);
  }
  result.codes = encode(args, weight, scales, group);
  result.scale = scales.stored;
  result.zero_point = scales.zero_point;
  return result;
}

}  // namespace oneshot
