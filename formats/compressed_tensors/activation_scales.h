// The tensors of scales that were measured on data: of a module's inputs, of keys and values.
#pragma once

#include <string>
#include <vector>

#include "engine/format.h"

namespace oneshot::compressed_tensors {

/// Of a module's inputs, each [1]; none when the scheme has no static or local activations.
std::vector<TensorSpec> input_specs(const PlannedModule& module);
void encode_inputs(const PlannedModule& module, const InputScales& scales, OutputTensors& output);
/// The specs of `module` have been checked.
InputScales read_inputs(const TensorSource& source, const PlannedModule& module);

/// k_scale and v_scale of an attention, with zero points where they are asymmetric; each [1].
std::vector<TensorSpec> cache_specs(const PlannedCache& cache);
void encode_cache(const PlannedCache& cache, const CacheScales& scales, OutputTensors& output);
/// throws Checkpoint
CacheScales read_cache(const TensorSource& source,
                       const std::string& attention,
                       const QuantArgs& args);

/// The spec of a tensor that has to be there. throws Checkpoint
TensorSpec required_spec(const TensorSource& source, const std::string& name);
[[noreturn]] void refuse(const TensorSpec& found, const std::string& wanted);

}  // namespace oneshot::compressed_tensors
