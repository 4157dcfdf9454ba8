// YAML text as a tree in which every node knows where it was written. The only user of yaml-cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oneshot::recipes {

/// A value, or the key of one. Aliases are expanded: a node never shares another's children.
struct YamlNode {
  enum class Kind { Null, Scalar, List, Mapping };
  Kind kind = Kind::Null;
  std::string text;     // Scalar; Null: "null" or "~" where it is written, else empty
  bool quoted = false;  // Scalar in quotes or written as a block: a text, whatever it looks like
  std::string where;    // "recipe.yaml:7:14", or "--set modifiers.0.iterations=10"
  std::string file;     // the file it stands in; empty in a --set and in a table of ours
  bool command_line = false;    // written in a --set
  bool is_tuple = false;        // List with the tag !!python/tuple, which llm-compressor writes
  std::vector<YamlNode> keys;   // Mapping: scalars, all different
  std::vector<YamlNode> items;  // List: its entries; Mapping: the values, in the order of the keys
};

/// The one document of a recipe's text; Null when there is none.
/// Throws Recipe for anything that is no YAML, or is YAML that recipes refuse: tags (but tuples,
/// which the caller refuses), merge keys, keys that are no text, duplicate keys, a second document,
/// nesting deeper than 64, aliases that grow to more than 100,000 nodes or 4 MiB.
YamlNode parse_yaml(const std::string& text, const std::string& file);

/// A value written on the command line or in a table of ours: every node stands at `where`.
YamlNode parse_yaml_value(const std::string& text, const std::string& where, bool command_line);

/// The index of a key of a mapping; nothing when it is not there.
std::optional<size_t> find_key(const YamlNode& mapping, std::string_view key);

/// What was found, for a message: "'many'", "the text '10'", "a list", "a mapping", "nothing".
std::string found(const YamlNode& node);

}  // namespace oneshot::recipes
