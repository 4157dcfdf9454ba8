#include "recipes/llm_compressor_arguments.h"

#include <algorithm>

namespace oneshot::recipes {

const YamlNode* PeerArguments::find(std::string_view name) const {
  const auto index = find_key(mapping, name);
  const bool is_given = index && mapping.items[*index].kind != YamlNode::Kind::Null;
  return is_given ? &mapping.items[*index] : nullptr;
}

void PeerArguments::refuse(std::string_view name,
                           const std::string& message,
                           ErrorCode code) const {
  const YamlNode& key = mapping.keys[*find_key(mapping, name)];
  fail(key.where, subject + ": '" + std::string(name) + "' " + message, code);
}

PeerArguments peer_arguments(const YamlNode& node,
                             const std::string& subject,
                             std::span<const std::string> known) {
  if (node.kind != YamlNode::Kind::Mapping) {
    fail(node.where, subject + " must be a mapping (key: value), found " + found(node));
  }
  for (const YamlNode& key : node.keys) {
    if (std::find(known.begin(), known.end(), key.text) == known.end()) {
      fail(key.where,
           subject + ": llm-compressor has no option " + in_quotes(key.text) + " here" +
               did_you_mean(key.text, known, "; the options are " + join(known, "and")));
    }
  }
  return {node, subject};
}

std::vector<YamlNode> peer_texts(const YamlNode& node, const std::string& subject) {
  if (node.kind == YamlNode::Kind::Scalar) {
    return {node};
  }
  if (node.kind != YamlNode::Kind::List) {
    fail(node.where, subject + " must be a list of texts, found " + found(node));
  }
  for (const YamlNode& item : node.items) {
    if (item.kind != YamlNode::Kind::Scalar) {
      fail(node.where, subject + ": an entry must be a text, found " + found(item));
    }
  }
  return node.items;
}

YamlNode scalar_at(const YamlNode& at, const std::string& text) {
  return {.kind = YamlNode::Kind::Scalar, .text = text, .where = at.where, .file = at.file};
}

YamlNode list_at(const YamlNode& at, std::vector<YamlNode> items) {
  YamlNode list{.kind = YamlNode::Kind::List, .where = at.where, .file = at.file};
  list.items = std::move(items);
  return list;
}

YamlNode mapping_at(const YamlNode& at) {
  return {.kind = YamlNode::Kind::Mapping, .where = at.where, .file = at.file};
}

void add_item(YamlNode& mapping, const std::string& key, YamlNode value) {
  mapping.keys.push_back(scalar_at(value, key));
  mapping.items.push_back(std::move(value));
}

}  // namespace oneshot::recipes
