// The `quantization_config` of config.json, written and read. See FORMAT.md beside this file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "engine/plan.h"

namespace oneshot::compressed_tensors {

/// The release whose keys and values are written.
inline constexpr const char* kVersion = "0.19.0";

/// Groups in order of first appearance in the model, with the recipe's own targets. Where a reader
/// would assign a module to another group by those, the groups name their modules one by one.
nlohmann::json quantization_config(const Plan& plan);

/// How keys and values are quantized; nothing when they are not. throws Checkpoint
std::optional<QuantArgs> cache_scheme_of(const nlohmann::json& quantization_config);

/// The scheme of a module. throws Checkpoint
Scheme scheme_of(const nlohmann::json& quantization_config, const std::string& module);

}  // namespace oneshot::compressed_tensors
