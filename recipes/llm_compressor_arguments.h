// What the readers of llm-compressor's recipes share: the arguments of one of its objects, and the
// nodes of our language that they become.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recipes/recipe_error.h"
#include "recipes/yaml_document.h"

namespace oneshot::recipes {

/// The keyword arguments of one object. A null is llm-compressor's "not given".
struct PeerArguments {
  const YamlNode& mapping;
  std::string subject;  // begins every message: "QuantizationModifier", "config_groups.group_0"

  /// The value; nothing when it is absent or null.
  const YamlNode* find(std::string_view name) const;

  /// Throws at the argument, which is there: "WHERE: SUBJECT: 'name' MESSAGE".
  [[noreturn]] void refuse(std::string_view name,
                           const std::string& message,
                           ErrorCode code = ErrorCode::Recipe) const;
};

/// Throws Recipe for what is no mapping and for an argument that is not known.
PeerArguments peer_arguments(const YamlNode& node,
                             const std::string& subject,
                             std::span<const std::string> known);

/// A list of texts; a single text is a list of one. Throws Recipe for anything else.
std::vector<YamlNode> peer_texts(const YamlNode& node, const std::string& subject);

/// Nodes of ours that stand where `at` stands.
YamlNode scalar_at(const YamlNode& at, const std::string& text);
YamlNode list_at(const YamlNode& at, std::vector<YamlNode> items);
YamlNode mapping_at(const YamlNode& at);

/// Appends a key to a mapping; the key stands where the value stands.
void add_item(YamlNode& mapping, const std::string& key, YamlNode value);

}  // namespace oneshot::recipes
