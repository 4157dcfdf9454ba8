#include "formats/compressed_tensors/layouts.h"

#include <ATen/ATen.h>

#include <array>
#include <tuple>

#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"
#include "engine/kernels/kernels.h"
#include "formats/compressed_tensors/activation_scales.h"

namespace oneshot::compressed_tensors {
namespace {

constexpr int64_t kWordBits = 32;

int64_t words(int64_t count, int bits) {
  return (count * bits + kWordBits - 1) / kWordBits;
}

bool is_packed(Layout layout) {
  return layout == Layout::PackQuantized || layout == Layout::Nvfp4PackQuantized ||
         layout == Layout::Mxfp4PackQuantized;
}

/// Zero points of groups and channels are packed as the codes are, along the rows.
bool packs_zero_points(const Scheme& scheme) {
  return layout_of(scheme) == Layout::PackQuantized && !scheme.weights.symmetric &&
         scheme.weights.strategy != Strategy::Tensor;
}

Dtype scale_dtype(const QuantArgs& args, Dtype weight) {
  switch (args.scale_dtype) {
    case ScaleDtype::F16:
      return Dtype::F16;
    case ScaleDtype::F8E4M3:
      return Dtype::F8E4M3;
    case ScaleDtype::E8M0:
      return Dtype::U8;
    case ScaleDtype::Weight:
      break;
  }
  return weight;
}

TensorSpec codes_spec(const PlannedModule& module) {
  const QuantArgs& args = module.scheme->weights;
  switch (layout_of(*module.scheme)) {
    case Layout::PackQuantized:
      return {module.name + ".weight_packed",
              Dtype::I32,
              {module.rows, words(module.columns, args.bits)}};
    case Layout::Nvfp4PackQuantized:
    case Layout::Mxfp4PackQuantized:
      return {module.name + ".weight_packed", Dtype::U8, {module.rows, module.columns / 2}};
    default:
      return {module.name + ".weight",
              args.type == NumberType::Int ? Dtype::I8 : Dtype::F8E4M3,
              {module.rows, module.columns}};
  }
}

at::Tensor packed_codes(Layout layout, const QuantizedWeight& rows) {
  if (layout == Layout::PackQuantized) {
    return kernels::pack_int(rows.codes, rows.scheme.weights.bits);
  }
  return is_packed(layout) ? kernels::pack_nibbles(rows.codes) : rows.codes;
}

/// [rows, groups] int8 → [words of the rows, groups] int32.
at::Tensor packed_zero_points(const at::Tensor& zero_point, int bits) {
  return kernels::pack_int(zero_point.t().contiguous(), bits).t().contiguous();
}

at::Tensor unpacked_zero_points(const at::Tensor& packed, int bits, int64_t rows) {
  return kernels::unpack_int(packed.t().contiguous(), bits, rows).t().contiguous();
}

/// The shape that a pack-quantized weight had: [out, in], stored beside it.
std::pair<int64_t, int64_t> stored_shape(const TensorSource& source, const std::string& name) {
  const TensorSpec spec = required_spec(source, name);
  if (spec.dtype != Dtype::I64 || spec.shape != std::vector<int64_t>{2}) {
    refuse(spec, describe_tensor(Dtype::I64, {2}));
  }
  const at::Tensor shape = source.read(name);
  constexpr int64_t kLargest = int64_t{1} << 40;
  const int64_t rows = shape[0].item<int64_t>();
  const int64_t columns = shape[1].item<int64_t>();
  if (rows <= 0 || columns <= 0 || rows > kLargest || columns > kLargest) {
    refuse(spec, "two sizes, not " + std::to_string(rows) + " and " + std::to_string(columns));
  }
  return {rows, columns};
}

}  // namespace

std::string_view layout_name(Layout layout) {
  constexpr std::array<std::string_view, 7> kNames{"naive-quantized",
                                                   "int-quantized",
                                                   "float-quantized",
                                                   "pack-quantized",
                                                   "nvfp4-pack-quantized",
                                                   "mxfp4-pack-quantized",
                                                   "mxfp8-quantized"};
  return kNames[static_cast<size_t>(layout)];
}

Layout layout_of(const Scheme& scheme) {
  const QuantArgs& weights = scheme.weights;
  if (weights.type == NumberType::Float) {
    if (weights.bits == 4) {
      return weights.is_mx() ? Layout::Mxfp4PackQuantized : Layout::Nvfp4PackQuantized;
    }
    if (weights.is_mx()) {
      return Layout::Mxfp8Quantized;
    }
    return scheme.input_activations ? Layout::FloatQuantized : Layout::NaiveQuantized;
  }
  return scheme.input_activations ? Layout::IntQuantized : Layout::PackQuantized;
}

std::optional<std::string> unsupported_shape(const Scheme& scheme, int64_t columns) {
  const int64_t group = scheme.weights.group_size;
  if (group > 0 && columns > group && columns % group != 0) {
    return "its " + std::to_string(columns) + " columns do not divide into groups of " +
           std::to_string(group) + "; choose a group_size that divides them";
  }
  const Layout layout = layout_of(scheme);
  if (layout != Layout::PackQuantized && is_packed(layout) && columns % 2 != 0) {
    return "float4 is stored two a byte, and " + std::to_string(columns) + " columns are odd";
  }
  return std::nullopt;
}

std::vector<TensorSpec> layout_tensors(const PlannedModule& module) {
  const Scheme& scheme = *module.scheme;
  const QuantArgs& args = scheme.weights;
  const std::vector<int64_t> scales = scale_shape(args, module.rows, module.columns);
  std::vector<TensorSpec> specs = input_specs(module);
  specs.push_back({module.name + ".weight_scale", scale_dtype(args, module.dtype), scales});
  if (packs_zero_points(scheme)) {
    specs.push_back({module.name + ".weight_zero_point",
                     Dtype::I32,
                     {words(module.rows, args.bits), scales[1]}});
  } else if (!args.symmetric) {
    specs.push_back({module.name + ".weight_zero_point", Dtype::I8, scales});
  }
  if (args.has_global_scale()) {
    specs.push_back({module.name + ".weight_global_scale", Dtype::F32, {1}});
  }
  specs.push_back(codes_spec(module));
  if (layout_of(scheme) == Layout::PackQuantized) {
    specs.push_back({module.name + ".weight_shape", Dtype::I64, {2}});
  }
  return specs;
}

int64_t layout_row_alignment(const Scheme& scheme) {
  return packs_zero_points(scheme) ? kWordBits : 1;
}

void encode_layout(const PlannedModule& module,
                   const QuantizedWeight& rows,
                   int64_t first_row,
                   OutputTensors& output) {
  const Scheme& scheme = *module.scheme;
  const QuantArgs& args = scheme.weights;
  const Layout layout = layout_of(scheme);
  const std::string prefix = module.name + ".";
  const bool is_first = first_row == 0;

  output.put(prefix + (is_packed(layout) ? "weight_packed" : "weight"),
             packed_codes(layout, rows),
             first_row,
             0);
  const int64_t rows_per_scale = args.strategy == Strategy::Block ? args.block_rows : 1;
  const bool shared = args.strategy == Strategy::Tensor;
  if (!shared || is_first) {
    output.put(prefix + "weight_scale", rows.scale, first_row / rows_per_scale, 0);
  }
  if (packs_zero_points(scheme)) {
    const at::Tensor packed = packed_zero_points(rows.zero_point, args.bits);
    output.put(prefix + "weight_zero_point", packed, first_row * args.bits / kWordBits, 0);
  } else if (!args.symmetric && (!shared || is_first)) {
    output.put(prefix + "weight_zero_point", rows.zero_point, first_row / rows_per_scale, 0);
  }
  if (is_first && args.has_global_scale()) {
    output.put(prefix + "weight_global_scale", rows.global_scale, 0, 0);
  }
  if (is_first && layout == Layout::PackQuantized) {
    output.put(prefix + "weight_shape", at::tensor({module.rows, module.columns}, at::kLong), 0, 0);
  }
  if (is_first) {
    encode_inputs(module, rows.input, output);
  }
}

PlannedModule layout_module(const TensorSource& source,
                            const std::string& name,
                            const Scheme& scheme) {
  PlannedModule module;
  module.name = name;
  module.kind = ModuleKind::Linear;
  module.scheme = scheme;
  const Layout layout = layout_of(scheme);
  if (layout == Layout::PackQuantized) {
    std::tie(module.rows, module.columns) = stored_shape(source, name + ".weight_shape");
  } else {
    const TensorSpec codes =
        required_spec(source, name + (is_packed(layout) ? ".weight_packed" : ".weight"));
    if (codes.shape.size() != 2) {
      refuse(codes, "two dimensions");
    }
    module.rows = codes.shape[0];
    module.columns = codes.shape[1] * (is_packed(layout) ? 2 : 1);
  }
  // A plain scale has the dtype of the weight that was.
  const Dtype scale = required_spec(source, name + ".weight_scale").dtype;
  module.dtype = is_plain_float(scale) ? scale : Dtype::Bf16;
  for (const TensorSpec& expected : layout_tensors(module)) {
    const TensorSpec found = required_spec(source, expected.name);
    if (found.dtype != expected.dtype || found.shape != expected.shape) {
      refuse(found, describe_tensor(expected.dtype, expected.shape));
    }
  }
  return module;
}

QuantizedWeight decode_layout(const TensorSource& source,
                              const std::string& name,
                              const Scheme& scheme) {
  const PlannedModule module = layout_module(source, name, scheme);  // checks every tensor
  const QuantArgs& args = scheme.weights;
  const Layout layout = layout_of(scheme);
  QuantizedWeight weight;
  weight.scheme = scheme;
  weight.codes = source.read(name + (is_packed(layout) ? ".weight_packed" : ".weight"));
  if (layout == Layout::PackQuantized) {
    weight.codes = kernels::unpack_int(weight.codes, args.bits, module.columns);
  } else if (is_packed(layout)) {
    weight.codes = kernels::unpack_nibbles(weight.codes);
  }
  weight.scale = source.read(name + ".weight_scale");
  if (!args.symmetric) {
    weight.zero_point = source.read(name + ".weight_zero_point");
    if (packs_zero_points(scheme)) {
      weight.zero_point = unpacked_zero_points(weight.zero_point, args.bits, module.rows);
    }
  }
  if (args.has_global_scale()) {
    weight.global_scale = source.read(name + ".weight_global_scale");
  }
  weight.input = read_inputs(source, module);
  return weight;
}

}  // namespace oneshot::compressed_tensors
