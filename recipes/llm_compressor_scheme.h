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

/// The options beside a preset: a mapping of weight_observer and input_observer where they are not
/// the preset's own. Throws Unsupported for a preset that quantizes nothing.
YamlNode options_of_preset(const YamlNode& preset, const PeerObservers& observers);

/// Our word for a kv_cache_scheme, at its place: FP8. Throws Unsupported for another.
YamlNode cache_scheme(const YamlNode& node,
                      const std::string& subject,
                      std::vector<std::string>& warnings);

}  // namespace oneshot::recipes
