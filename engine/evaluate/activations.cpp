#include "engine/evaluate/activations.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/kernels/kernels.h"
#include "engine/quant/quantized_weight.h"
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

}  // namespace

at::Tensor fake_quantize_dynamic(const QuantArgs& args, const at::Tensor& x) {
  if (args.dynamic != Dynamic::Yes) {
    throw Error(ErrorCode::Unsupported,
                "activations with static scales cannot be evaluated yet; --weight-only leaves them "
                "as they are");
  }
  // As a weight whose rows are the tokens.
  const at::Tensor rows = args.strategy == Strategy::Tensor
                              ? x.reshape({1, -1}).contiguous()
                              : x.reshape({-1, x.size(-1)}).contiguous();
  QuantArgs by_row = args;
  const bool grouped = args.strategy == Strategy::Group || args.strategy == Strategy::TensorGroup;
  by_row.strategy = grouped ? args.strategy : Strategy::Channel;
  const int64_t group = columns_per_scale(by_row, rows.size(1));
  Scales scales;
  if (args.symmetric) {
    scales = symmetric_scales(by_row, kernels::group_absmax(rows, group), {});
  } else {
    const kernels::GroupRange range = kernels::group_range(rows, group);
    scales = asymmetric_scales(by_row, range.min, range.max);
  }
  QuantizedWeight quantized;
  quantized.scheme.weights = by_row;
  quantized.codes = encode(by_row, rows, scales, group);
  quantized.scale = scales.stored;
  quantized.zero_point = scales.zero_point;
  return dequantize(quantized).to(x.scalar_type()).view(x.sizes());
}

}  // namespace oneshot
