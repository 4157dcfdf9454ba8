#include "engine/graph/fake_quantize.h"

#include <ATen/ATen.h>

#include "engine/kernels/kernels.h"
#include "engine/quant/scales.h"

namespace oneshot {
namespace {

at::Tensor encode(const QuantArgs& args, const at::Tensor& x, const Scales& scales, int64_t group) {
  if (args.type == NumberType::Int) {
    return kernels::encode_int(x, scales.divisor, scales.zero_point, group, args.bits);
  }
  return args.bits == 8 ? kernels::encode_fp8(x, scales.divisor, group)
                        : kernels::encode_fp4(x, scales.divisor, group);
}

/// One measured scale, as every row sees it.
Scales static_scales(const InputScales& measured, int64_t rows, at::ScalarType dtype) {
  const auto by_row = [rows](const at::Tensor& one) {
    return one.defined() ? one.reshape({1, 1}).expand({rows, 1}).contiguous() : one;
  };
  const at::Tensor scale = by_row(measured.scale.to(dtype));
  return {scale, scale, by_row(measured.zero_point)};
}

Scales scales_of(const QuantArgs& args,
                 const InputScales& measured,
                 const at::Tensor& rows,
                 int64_t group) {
  if (args.dynamic == Dynamic::No) {
    return static_scales(measured, rows.size(0), rows.scalar_type());
  }
  if (args.symmetric) {
    return symmetric_scales(args, kernels::group_absmax(rows, group), measured.global_scale);
  }
  const kernels::GroupRange range = kernels::group_range(rows, group);
  return asymmetric_scales(args, range.min, range.max);
}

}  // namespace

at::Tensor fake_quantize(const QuantArgs& args, const InputScales& measured, const at::Tensor& x) {
  // As a weight whose rows are the tokens.
  const bool as_one_row = args.strategy == Strategy::Tensor && args.dynamic != Dynamic::No;
  const at::Tensor rows =
      as_one_row ? x.reshape({1, -1}).contiguous() : x.reshape({-1, x.size(-1)}).contiguous();
  QuantArgs by_row = args;
  const bool grouped = args.strategy == Strategy::Group || args.strategy == Strategy::TensorGroup;
  by_row.strategy = grouped ? args.strategy : Strategy::Channel;
  const int64_t group = columns_per_scale(by_row, rows.size(1));
  const Scales scales = scales_of(by_row, measured, rows, group);
  QuantizedWeight quantized;
  quantized.scheme.weights = by_row;
  quantized.codes = encode(by_row, rows, scales, group);
  quantized.scale = scales.stored;
  quantized.zero_point = scales.zero_point;
  quantized.global_scale = measured.global_scale;
  return dequantize(quantized).to(x.scalar_type()).view(x.sizes());
}

}  // namespace oneshot
