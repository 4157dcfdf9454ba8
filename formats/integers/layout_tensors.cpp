#include "formats/integers/layout_tensors.h"

#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"

namespace oneshot::integers {
namespace {

constexpr const char* kElsewhere = "; compressed_tensors holds them";

}  // namespace

std::optional<std::string> unsupported_scheme(const Scheme& scheme) {
  const QuantArgs& args = scheme.weights;
  if (args.type != NumberType::Int || scheme.input_activations) {
    return "it takes integer weights alone, not " + scheme.name + " (" + describe(scheme) + ")" +
           kElsewhere;
  }
  if (args.bits != 2 && args.bits != 3 && args.bits != 4 && args.bits != 8) {
    return "it packs codes of 2, 3, 4 and 8 bits, not of " + std::to_string(args.bits) + kElsewhere;
  }
  if (args.strategy != Strategy::Group && args.strategy != Strategy::Channel) {
    return "its scales are those of groups or whole rows, not of whole tensors or blocks" +
           std::string(kElsewhere);
  }
  if (args.scale_dtype != ScaleDtype::F16) {
    return "its scales are float16: write `scale_dtype: float16`, or compressed_tensors";
  }
  return std::nullopt;
}

TensorSpec required_matrix(const TensorSource& source, const std::string& name, Dtype dtype) {
  const std::optional<TensorSpec> spec = source.spec(name);
  if (!spec) {
    throw Error(ErrorCode::Checkpoint,
                name + ": the config announces this tensor, but it is missing");
  }
  if (spec->dtype != dtype || spec->shape.size() != 2 || spec->shape[0] == 0 ||
      spec->shape[1] == 0) {
    throw Error(ErrorCode::Checkpoint,
                name + ": is " + describe_tensor(spec->dtype, spec->shape) + ", expected " +
                    std::string(dtype_name(dtype)) + " of two dimensions");
  }
  return *spec;
}

void check_tensors(const TensorSource& source, const std::vector<TensorSpec>& announced) {
  for (const TensorSpec& expected : announced) {
    const std::optional<TensorSpec> found = source.spec(expected.name);
    if (!found) {
      throw Error(ErrorCode::Checkpoint,
                  expected.name + ": the config announces this tensor, but it is missing");
    }
    if (found->dtype != expected.dtype || found->shape != expected.shape) {
      throw Error(ErrorCode::Checkpoint,
                  expected.name + ": is " + describe_tensor(found->dtype, found->shape) +
                      ", expected " + describe_tensor(expected.dtype, expected.shape));
    }
  }
}

std::vector<std::string> modules_with_codes(const std::vector<std::string>& tensors) {
  constexpr std::string_view kSuffix = ".qweight";
  std::vector<std::string> modules;
  for (const std::string& tensor : tensors) {
    if (tensor.ends_with(kSuffix)) {
      modules.push_back(tensor.substr(0, tensor.size() - kSuffix.size()));
    }
  }
  return modules;
}

PlannedModule read_module(const std::string& name, const Scheme& scheme) {
  PlannedModule module;
  module.name = name;
  module.kind = ModuleKind::Linear;
  module.scheme = scheme;
  module.dtype = Dtype::F16;
  return module;
}

}  // namespace oneshot::integers
