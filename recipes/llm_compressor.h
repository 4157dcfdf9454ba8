// llm-compressor's own recipe.yaml, read as a recipe of ours.
#pragma once

#include <string>
#include <vector>

#include "recipes/yaml_document.h"

namespace oneshot::recipes {

/// True when a key at the top ends in "_stage".
bool is_llm_compressor(const YamlNode& root);

/// The same recipe in our language: `version` and `modifiers`, every node where it stood. Stages
/// and groups are concatenated in the order of the file. Adds one line to `warnings` for what it
/// became, and one for each key that llm-compressor skips.
/// Throws Recipe for what is wrong, and for a skipped key that would change the result;
/// Unsupported for a modifier that is not there yet.
YamlNode from_llm_compressor(const YamlNode& root, std::vector<std::string>& warnings);

}  // namespace oneshot::recipes
