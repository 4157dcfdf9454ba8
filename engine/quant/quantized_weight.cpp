#include "engine/quant/quantized_weight.h"

#include <ATen/ATen.h>

#include "engine/quant/scales.h"

namespace oneshot {
namespace {

/// Values of the FP4 codes 0 … 15, E2M1: sign << 3 | index.
at::Tensor fp4_values() {
  static const at::Tensor kValues = at::tensor({0.0F,
                                                0.5F,
                                                1.0F,
                                                1.5F,
                                                2.0F,
                                                3.0F,
                                                4.0F,
                                                6.0F,
                                                -0.0F,
                                                -0.5F,
                                                -1.0F,
                                                -1.5F,
                                                -2.0F,
                                                -3.0F,
                                                -4.0F,
                                                -6.0F});
  return kValues;
}

/// Repeats [rows, groups] over the columns of each group: [rows, columns].
at::Tensor over_columns(const at::Tensor& by_group, int64_t group, int64_t columns) {
  return by_group.repeat_interleave(group, 1).narrow(1, 0, columns);
}

}  // namespace

at::Tensor dequantize(const QuantizedWeight& weight) {
  const QuantArgs& args = weight.scheme.weights;
  const int64_t rows = weight.codes.size(0);
  const int64_t columns = weight.codes.size(1);
  const int64_t group = columns_per_scale(args, columns);
  const bool fp4 = args.type == NumberType::Float && args.bits == 4;
  at::Tensor values =
      fp4 ? fp4_values().index({weight.codes.to(at::kLong)}) : weight.codes.to(at::kFloat);
  if (weight.zero_point.defined()) {
    values =
        values -
        over_columns(scale_of_rows(args, weight.zero_point, rows), group, columns).to(at::kFloat);
  }
  at::Tensor scale = scale_value(args, weight.scale).to(at::kFloat);
  if (weight.global_scale.defined()) {
    scale = scale / weight.global_scale;
  }
  return values * over_columns(scale_of_rows(args, scale, rows), group, columns);
}

}  // namespace oneshot
