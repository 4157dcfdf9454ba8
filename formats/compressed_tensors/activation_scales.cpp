#include "formats/compressed_tensors/activation_scales.h"

#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"

namespace oneshot::compressed_tensors {
namespace {

/// A tensor of measured scales: what it is called, and which one of them it is.
struct ScaleTensor {
  TensorSpec spec;
  at::Tensor InputScales::*value;
};

/// What `args` have, below names that begin with `prefix`.
std::vector<ScaleTensor> scale_tensors(const QuantArgs& args,
                                       const std::string& prefix,
                                       Dtype dtype) {
  std::vector<ScaleTensor> tensors;
  const auto add = [&](const char* name, Dtype of, at::Tensor InputScales::*value) {
    tensors.push_back({{prefix + name, of, {1}}, value});
  };
  if (args.dynamic == Dynamic::Local) {
    add("global_scale", Dtype::F32, &InputScales::global_scale);
  } else if (args.dynamic == Dynamic::No) {
    add("scale", dtype, &InputScales::scale);
    if (!args.symmetric) {
      add("zero_point", Dtype::I8, &InputScales::zero_point);
    }
  }
  return tensors;
}

std::vector<ScaleTensor> input_tensors(const PlannedModule& module) {
  const std::optional<QuantArgs>& args = module.scheme->input_activations;
  return args ? scale_tensors(*args, module.name + ".input_", module.dtype)
              : std::vector<ScaleTensor>{};
}

std::vector<ScaleTensor> key_tensors(const PlannedCache& cache) {
  return scale_tensors(cache.args, cache.attention + ".k_", cache.dtype);
}

std::vector<ScaleTensor> value_tensors(const PlannedCache& cache) {
  return scale_tensors(cache.args, cache.attention + ".v_", cache.dtype);
}

void put(const std::vector<ScaleTensor>& tensors,
         const InputScales& scales,
         OutputTensors& output) {
  for (const ScaleTensor& tensor : tensors) {
    output.put(tensor.spec.name, scales.*tensor.value, 0, 0);
  }
}

InputScales read(const TensorSource& source, const std::vector<ScaleTensor>& tensors) {
  InputScales scales;
  for (const ScaleTensor& tensor : tensors) {
    const TensorSpec found = required_spec(source, tensor.spec.name);
    if (found.dtype != tensor.spec.dtype || found.shape != tensor.spec.shape) {
      refuse(found, describe_tensor(tensor.spec.dtype, tensor.spec.shape));
    }
    scales.*tensor.value = source.read(tensor.spec.name);
  }
  return scales;
}

void append(const std::vector<ScaleTensor>& tensors, std::vector<TensorSpec>& specs) {
  for (const ScaleTensor& tensor : tensors) {
    specs.push_back(tensor.spec);
  }
}

}  // namespace

std::vector<TensorSpec> input_specs(const PlannedModule& module) {
  std::vector<TensorSpec> specs;
  append(input_tensors(module), specs);
  return specs;
}

void encode_inputs(const PlannedModule& module, const InputScales& scales, OutputTensors& output) {
  put(input_tensors(module), scales, output);
}

InputScales read_inputs(const TensorSource& source, const PlannedModule& module) {
  return read(source, input_tensors(module));
}

std::vector<TensorSpec> cache_specs(const PlannedCache& cache) {
  std::vector<TensorSpec> specs;
  append(key_tensors(cache), specs);
  append(value_tensors(cache), specs);
  return specs;
}

void encode_cache(const PlannedCache& cache, const CacheScales& scales, OutputTensors& output) {
  put(key_tensors(cache), scales.key, output);
  put(value_tensors(cache), scales.value, output);
}

CacheScales read_cache(const TensorSource& source,
                       const std::string& attention,
                       const QuantArgs& args) {
  PlannedCache cache{attention, args};
  cache.dtype = required_spec(source, attention + ".k_scale").dtype;
  return {read(source, key_tensors(cache)), read(source, value_tensors(cache))};
}

TensorSpec required_spec(const TensorSource& source, const std::string& name) {
  std::optional<TensorSpec> spec = source.spec(name);
  if (!spec) {
    throw Error(ErrorCode::Checkpoint,
                name + ": the config announces this tensor, but it is missing");
  }
  return *std::move(spec);
}

void refuse(const TensorSpec& found, const std::string& wanted) {
  throw Error(
      ErrorCode::Checkpoint,
      found.name + ": is " + describe_tensor(found.dtype, found.shape) + ", expected " + wanted);
}

}  // namespace oneshot::compressed_tensors
