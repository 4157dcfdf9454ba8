// A group of compressed-tensors' `config_groups` as a scheme of our language.
#pragma once

#include <string>
#include <vector>

#include "recipes/yaml_document.h"

namespace oneshot::recipes {

/// Observers that a modifier names for all its groups; nothing: each group's own.
struct PeerObservers {
  const YamlNode* weights = nullptr;
  const YamlNode* input = nullptr;
};

/// The mapping of our `scheme` for a QuantizationScheme (targets, weights, input_activations, …).
/// `subject` begins messages: "config_groups.group_0". Adds to `warnings` where the result is not
/// llm-compressor's to the bit.
/// Throws Recipe for what makes no sense, Unsupported for what is not there yet.
YamlNode scheme_of_group(const YamlNode& group,
                         const std::string& subject,
                         const PeerObservers& observers,
                         std::vector<std::string>& warnings);

/// Throws Unsupported for a preset that quantizes nothing, and when an observer beside a preset is
/// another than the preset's own.
void refuse_preset(const YamlNode& preset, const PeerObservers& observers);

}  // namespace oneshot::recipes
