#include "formats/integers/gptq_layout.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/kernels/kernels.h"

namespace oneshot::integers {
namespace {

constexpr int64_t kWordBits = 32;

int64_t words(int64_t count, int bits) {
  return count * bits / kWordBits;
}

int64_t group_count(const PlannedModule& module) {
  return scale_shape(module.scheme->weights, module.rows, module.columns)[1];
}

/// int32 [columns]: the group of each.
at::Tensor group_index(const PlannedModule& module) {
  const int64_t group = columns_per_scale(module.scheme->weights, module.columns);
  return at::arange(module.columns, at::kInt).floor_divide(group);
}

/// [rows, groups] int8, in the signed space of the codes → [groups, words of the rows].
at::Tensor packed_zero_points(const GptqLayout& layout, const QuantizedWeight& rows) {
  at::Tensor zero_point = rows.zero_point.defined()
                              ? rows.zero_point.t().contiguous()
                              : at::zeros({rows.scale.size(1), rows.scale.size(0)}, at::kChar);
  if (layout.stored_zero == StoredZero::MinusOne) {
    zero_point = zero_point - 1;
  }
  return kernels::pack_int(zero_point, rows.scheme.weights.bits);
}

/// A `g_idx` that numbers the groups in their order says nothing; another one reorders columns.
void check_group_index(const TensorSource& source, const PlannedModule& module) {
  const std::string name = module.name + ".g_idx";
  if (!source.spec(name)) {
    return;
  }
  check_tensors(source, {{name, Dtype::I32, {module.columns}}});
  if (!source.read(name).equal(group_index(module))) {
    throw Error(ErrorCode::Unsupported,
                name +
                    ": its columns were reordered (activation order), which cannot be read; "
                    "quantize without desc_act");
  }
}

/// What was stored, as int8 [rows, groups] in the signed space of the codes.
at::Tensor unpacked_zero_points(const GptqLayout& layout,
                                const TensorSource& source,
                                const PlannedModule& module) {
  const int bits = module.scheme->weights.bits;
  const std::string name = module.name + ".qzeros";
  const at::Tensor stored = kernels::unpack_int(source.read(name), bits, module.rows);
  if (module.scheme->weights.symmetric) {
    // Symmetric formats differ in the constant that stands for 0.
    const int8_t first = stored[0][0].item<int8_t>();
    if ((first != 0 && first != -1) || !(stored == first).all().item<bool>()) {
      throw Error(ErrorCode::Checkpoint,
                  name + ": the config says symmetric, but the zero points are not all the middle");
    }
    return {};
  }
  if (layout.stored_zero == StoredZero::AsItIs) {
    return stored.t().contiguous();
  }
  if (bits == 8 && (stored == 127).any().item<bool>()) {
    throw Error(ErrorCode::Checkpoint, name + ": holds a zero point of 256, which 8 bits do not");
  }
  return (stored + 1).t().contiguous();
}

}  // namespace

std::optional<std::string> gptq_unsupported(const PlannedModule& module) {
  if (auto reason = unsupported_scheme(*module.scheme)) {
    return reason;
  }
  for (const auto& [what, size] : {std::pair("rows", module.rows), {"columns", module.columns}}) {
    if (size % kWordBits != 0) {
      return "its " + std::to_string(size) + " " + what +
             " are no multiple of 32; compressed_tensors holds them";
    }
  }
  return std::nullopt;
}

std::vector<TensorSpec> gptq_tensors(const GptqLayout& layout, const PlannedModule& module) {
  const int bits = module.scheme->weights.bits;
  const int64_t groups = group_count(module);
  std::vector<TensorSpec> specs{
      {module.name + ".qweight", Dtype::I32, {words(module.columns, bits), module.rows}},
      {module.name + ".qzeros", Dtype::I32, {groups, words(module.rows, bits)}},
      {module.name + ".scales", Dtype::F16, {groups, module.rows}}};
  if (layout.group_index) {
    specs.push_back({module.name + ".g_idx", Dtype::I32, {module.columns}});
  }
  return specs;
}

void gptq_encode(const GptqLayout& layout,
                 const PlannedModule& module,
                 const QuantizedWeight& rows,
                 int64_t first_row,
                 OutputTensors& output) {
  const int bits = module.scheme->weights.bits;
  const at::Tensor packed = kernels::pack_int(rows.codes, bits);  // [rows, words of a row]
  output.put(module.name + ".qweight", packed.t().contiguous(), 0, first_row);
  output.put(module.name + ".qzeros", packed_zero_points(layout, rows), 0, words(first_row, bits));
  output.put(module.name + ".scales", rows.scale.t().contiguous(), 0, first_row);
  if (layout.group_index && first_row == 0) {
    output.put(module.name + ".g_idx", group_index(module), 0, 0);
  }
}

PlannedModule gptq_module(const GptqLayout& layout,
                          const TensorSource& source,
                          const std::string& name,
                          const Scheme& scheme) {
  PlannedModule module = read_module(name, scheme);
  const TensorSpec codes = required_matrix(source, name + ".qweight", Dtype::I32);
  module.columns = codes.shape[0] * kWordBits / scheme.weights.bits;
  module.rows = codes.shape[1];
  if (const auto reason = gptq_unsupported(module)) {
    throw Error(ErrorCode::Checkpoint, codes.name + ": cannot be read: " + *reason);
  }
  check_tensors(source, gptq_tensors({layout.stored_zero, false}, module));
  check_group_index(source, module);
  return module;
}

QuantizedWeight gptq_decode(const GptqLayout& layout,
                            const TensorSource& source,
                            const std::string& name,
                            const Scheme& scheme) {
  const PlannedModule module = gptq_module(layout, source, name, scheme);
  QuantizedWeight weight;
  weight.scheme = scheme;
  weight.codes = kernels::unpack_int(
      source.read(name + ".qweight").t().contiguous(), scheme.weights.bits, module.columns);
  weight.scale = source.read(name + ".scales").t().contiguous();
  weight.zero_point = unpacked_zero_points(layout, source, module);
  return weight;
}

}  // namespace oneshot::integers
