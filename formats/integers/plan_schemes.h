// What the configs of auto_round, auto_gptq and auto_awq say of a plan: one scheme for most
// modules, the modules that have another one or none, and the lists of blocks.
#pragma once

#include <string>
#include <vector>

#include "engine/format.h"

namespace oneshot::integers {

struct PlanSchemes {
  Scheme common;                             // of most quantized modules; ties go to the first
  std::vector<const PlannedModule*> others;  // quantized otherwise, or outside of `blocks`
  std::vector<const PlannedModule*> kept;    // Linears and routers that stay
  std::vector<std::string> blocks;           // lists that hold quantized modules, in model order
  std::vector<std::string> block_names;      // the same, under old and new names
  /// What of `kept` these lists hold; without lists all of it: readers then take every block.
  std::vector<const PlannedModule*> kept_in_blocks;

  bool in_blocks(const std::string& module) const;
};

/// The plan has a quantized module.
PlanSchemes schemes_of(const Plan& plan);

/// −1 for whole rows.
int64_t group_size_of(const QuantArgs& args);

/// A module under every name that a reader may know it by: serving engines look for the names of
/// the checkpoint, Transformers for those of its own classes.
std::vector<std::string> names_of(const PlannedModule& module);

/// The lists that a module's block is in, one for each of its names that differ.
std::vector<std::string> block_names_of(const PlannedModule& module);

/// "model.layers,visual.blocks"
std::string joined(const std::vector<std::string>& names);

/// A name as a regular expression that fits it alone.
std::string escaped(const std::string& name);
/// One that fits every name that begins so.
std::string escaped_start(const std::string& start);

/// config.json with the key `quantization_config`, and quantization_config.json.
std::vector<SmallFile> config_files(const nlohmann::json& source_config,
                                    const nlohmann::json& quantization_config);

/// Says that what stays is read as float16, in every part of a config.
void set_float16(nlohmann::json& config);

/// The `quantization_config` of a config.json; empty when it has none.
nlohmann::json quantization_config_of(const nlohmann::json& config);

/// bits, group_size and sym of a config; keys that it lacks are those of `outer`.
/// throws Checkpoint
Scheme scheme_from(const nlohmann::json& config, const Scheme& outer);

/// The scheme that keys are read over.
Scheme default_scheme();

/// The first entry of an object whose key is that name; else the first whose key, without `prefix`,
/// is a regular expression that fits it from the start. Null when there is none.
const nlohmann::json* entry_for(const nlohmann::json& entries,
                                const std::string& prefix,
                                const std::string& module);

}  // namespace oneshot::integers
