// llm-compressor's QuantizationModifier as entries of our `modifiers`.
#pragma once

#include <string>
#include <vector>

#include "recipes/yaml_document.h"

namespace oneshot::recipes {

/// One `quantize` a group of modules, in the order of the groups: {quantize: {scheme, targets,
/// ignore, allow_unmatched: true}}. `key` is the modifier's name in the file, where the entries
/// stand. Adds to `warnings` what does not count.
/// Throws Recipe for what makes no sense, Unsupported for what is not there yet.
std::vector<YamlNode> quantize_entries(const YamlNode& key,
                                       const YamlNode& arguments,
                                       std::vector<std::string>& warnings);

}  // namespace oneshot::recipes
