// Source: QuantizationMixin of llm-compressor 0.14; matching of compressed-tensors 0.19.0.
#include "recipes/llm_compressor_quantization.h"

#include <algorithm>

#include "engine/graph/names.h"
#include "recipes/llm_compressor_arguments.h"
#include "recipes/llm_compressor_scheme.h"
#include "recipes/option_scalar.h"

namespace oneshot::recipes {
namespace {

constexpr size_t kMostPatterns = 100'000;

/// Modules that share a scheme.
struct Group {
  YamlNode scheme;                // a preset, or a mapping of ours
  std::vector<YamlNode> targets;  // empty: not written
  YamlNode beside;                // a mapping of further options
};

/// A target of one of several groups.
struct Target {
  YamlNode node;
  size_t group;
};

const std::vector<std::string>& known_arguments() {
  static const std::vector<std::string> kKnown = {"scheme",
                                                  "config_groups",
                                                  "targets",
                                                  "ignore",
                                                  "kv_cache_scheme",
                                                  "weight_observer",
                                                  "input_observer",
                                                  "output_observer",
                                                  "observer",
                                                  "bypass_divisibility_checks",
                                                  "requires_calibration_data",
                                                  "index",
                                                  "group",
                                                  "start",
                                                  "end",
                                                  "update"};
  return kKnown;
}

/// `requires_calibration_data` says nothing: it follows from the scheme.
void refuse_settings(const PeerArguments& arguments) {
  for (const char* name : {"index", "group", "start", "end", "update"}) {
    if (arguments.find(name) != nullptr) {
      arguments.refuse(name, "has no meaning here: remove it");
    }
  }
  if (const YamlNode* data = arguments.find("requires_calibration_data")) {
    read_boolean(*data, arguments.subject + ": 'requires_calibration_data'");
  }
  const YamlNode* bypass = arguments.find("bypass_divisibility_checks");
  if (bypass != nullptr &&
      read_boolean(*bypass, arguments.subject + ": 'bypass_divisibility_checks'")) {
    arguments.refuse("bypass_divisibility_checks",
                     "is always false here: what a format cannot hold is refused");
  }
}

PeerObservers read_observers(const PeerArguments& arguments) {
  PeerObservers observers{arguments.find("weight_observer"), arguments.find("input_observer")};
  const YamlNode* output = arguments.find("output_observer");
  if (const YamlNode* all = arguments.find("observer")) {
    if (observers.weights != nullptr || observers.input != nullptr || output != nullptr) {
      arguments.refuse("observer",
                       "stands beside weight_observer, input_observer or output_observer: "
                       "write one or the other");
    }
    static const std::vector<std::string> kSides = {"weights", "input", "output"};
    const PeerArguments sides = peer_arguments(*all, arguments.subject + ": 'observer'", kSides);
    observers = {sides.find("weights"), sides.find("input")};
    output = sides.find("output");
  }
  if (output != nullptr) {
    fail(output->where,
         arguments.subject + ": an observer of outputs is not supported",
         ErrorCode::Unsupported);
  }
  return observers;
}

/// No target is no module to llm-compressor, and the modifier's default to us.
std::vector<YamlNode> read_targets(const YamlNode& node, const std::string& subject) {
  std::vector<YamlNode> targets = peer_texts(node, subject + ": 'targets'");
  if (targets.empty()) {
    fail(node.where, subject + ": 'targets' is empty: write an entry, such as Linear");
  }
  return targets;
}

/// A preset and its targets, as `scheme` and `config_groups` may hold them.
void add_preset(const YamlNode& name,
                const YamlNode& targets,
                const PeerObservers& observers,
                std::vector<Group>& groups) {
  groups.push_back(
      {name, read_targets(targets, printable(name.text, 60)), options_of_preset(name, observers)});
}

void add_config_group(const YamlNode& name,
                      const YamlNode& value,
                      const PeerObservers& observers,
                      std::vector<Group>& groups,
                      std::vector<std::string>& warnings) {
  if (value.kind != YamlNode::Kind::Mapping) {
    add_preset(name, value, observers, groups);
    return;
  }
  const std::string subject = "config_groups." + printable(name.text, 60);
  YamlNode scheme = scheme_of_group(value, subject, observers, warnings);
  const auto targets = find_key(value, "targets");
  if (!targets) {
    fail(name.where, subject + ": 'targets' is missing: add it, such as targets: [Linear]");
  }
  groups.push_back(
      {std::move(scheme), read_targets(value.items[*targets], subject), mapping_at(value)});
}

/// `targets` counts beside one preset only; its default is written out by llm-compressor.
void refuse_targets(const PeerArguments& arguments, const std::string& beside) {
  const YamlNode* targets = arguments.find("targets");
  if (targets == nullptr) {
    return;
  }
  const std::vector<YamlNode> texts = read_targets(*targets, arguments.subject);
  if (texts.size() != 1 || texts[0].text != "Linear") {
    arguments.refuse("targets", "does not count beside " + beside + ": each group has its own");
  }
}

std::vector<Group> read_groups(const PeerArguments& arguments, std::vector<std::string>& warnings) {
  const PeerObservers observers = read_observers(arguments);
  const YamlNode* scheme = arguments.find("scheme");
  const YamlNode* config_groups = arguments.find("config_groups");
  const YamlNode* targets = arguments.find("targets");
  std::vector<Group> groups;
  if (scheme != nullptr && config_groups != nullptr) {
    arguments.refuse("config_groups", "stands beside 'scheme': write one or the other");
  }
  if (scheme != nullptr && scheme->kind != YamlNode::Kind::Mapping) {
    groups.push_back({*scheme, {}, options_of_preset(*scheme, observers)});
    if (targets != nullptr) {
      groups.back().targets = read_targets(*targets, arguments.subject);
    }
    return groups;
  }
  const YamlNode* several = scheme != nullptr ? scheme : config_groups;
  const std::string name = scheme != nullptr ? "a mapping of schemes" : "'config_groups'";
  if (several == nullptr) {
    fail(arguments.mapping.where,
         arguments.subject + ": nothing is quantized without 'scheme' or 'config_groups'");
  }
  if (several->kind != YamlNode::Kind::Mapping || several->keys.empty()) {
    fail(several->where,
         arguments.subject + ": 'config_groups' must be a mapping of groups, found " +
             (several->keys.empty() && several->kind == YamlNode::Kind::Mapping ? "an empty one"
                                                                                : found(*several)));
  }
  refuse_targets(arguments, name);
  for (size_t i = 0; i < several->keys.size(); ++i) {
    if (scheme != nullptr) {
      add_preset(several->keys[i], several->items[i], observers, groups);
    } else {
      add_config_group(several->keys[i], several->items[i], observers, groups, warnings);
    }
  }
  return groups;
}

/// Which of several targets that fit a module decides: an exact name before a regular expression
/// before a class; regular expressions by their text.
int rank(const std::string& target) {
  if (target.starts_with("re:")) {
    return 1;
  }
  for (const ModuleKind kind : {ModuleKind::Linear,
                                ModuleKind::Embedding,
                                ModuleKind::Norm,
                                ModuleKind::Router,
                                ModuleKind::Other}) {
    if (target == kind_name(kind)) {
      return 2;
    }
  }
  return 0;
}

/// All targets, the deciding ones first. Of a target that two groups have, the later group's stays,
/// as in compressed-tensors.
std::vector<Target> ranked_targets(const std::vector<Group>& groups,
                                   std::vector<std::string>& warnings) {
  std::vector<Target> targets;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const YamlNode& node : groups[g].targets) {
      const auto same = std::find_if(targets.begin(), targets.end(), [&](const Target& target) {
        return target.node.text == node.text;
      });
      if (same == targets.end()) {
        targets.push_back({node, g});
      } else if (same->group != g) {
        warnings.push_back(same->node.where + ": target " + in_quotes(node.text) +
                           " does not count here: a later group names it too");
        *same = {node, g};
      }
    }
  }
  std::stable_sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) {
    const int rank_a = rank(a.node.text);
    const int rank_b = rank(b.node.text);
    return rank_a != rank_b ? rank_a < rank_b : rank_a == 1 && a.node.text < b.node.text;
  });
  return targets;
}

YamlNode entry(const YamlNode& key,
               const Group& group,
               std::vector<YamlNode> targets,
               std::vector<YamlNode> ignore) {
  YamlNode options = mapping_at(key);
  add_item(options, "scheme", group.scheme);
  for (size_t i = 0; i < group.beside.keys.size(); ++i) {
    add_item(options, group.beside.keys[i].text, group.beside.items[i]);
  }
  if (!targets.empty()) {
    const YamlNode first = targets.front();
    add_item(options, "targets", list_at(first, std::move(targets)));
  }
  if (!ignore.empty()) {
    const YamlNode first = ignore.front();
    add_item(options, "ignore", list_at(first, std::move(ignore)));
  }
  add_item(options, "allow_unmatched", scalar_at(key, "true"));
  YamlNode one = mapping_at(key);
  add_item(one, "quantize", std::move(options));
  return one;
}

/// A module belongs to the group of its deciding target alone, so each entry ignores the targets
/// that come before its own. Neighbouring targets of one group share an entry.
std::vector<YamlNode> disjoint_entries(const YamlNode& key,
                                       const std::vector<Group>& groups,
                                       const std::vector<YamlNode>& ignore,
                                       std::vector<std::string>& warnings) {
  const std::vector<Target> targets = ranked_targets(groups, warnings);
  std::vector<std::vector<YamlNode>> of_groups(groups.size());
  std::vector<YamlNode> left = ignore;
  size_t patterns = 0;  // each entry has those of all before it, so a hostile file could make many
  for (size_t begin = 0, end = 0; begin < targets.size(); begin = end) {
    const size_t group = targets[begin].group;
    std::vector<YamlNode> own;
    for (; end < targets.size() && targets[end].group == group; ++end) {
      own.push_back(targets[end].node);
    }
    patterns += own.size() + left.size();
    if (patterns > kMostPatterns) {
      fail(key.where, key.text + ": too large: its groups have too many targets");
    }
    of_groups[group].push_back(entry(key, groups[group], own, left));
    left.insert(left.end(), own.begin(), own.end());
  }
  std::vector<YamlNode> entries;
  for (std::vector<YamlNode>& of_group : of_groups) {
    std::move(of_group.begin(), of_group.end(), std::back_inserter(entries));
  }
  return entries;
}

}  // namespace

std::vector<YamlNode> quantize_entries(const YamlNode& key,
                                       const YamlNode& arguments,
                                       std::vector<std::string>& warnings) {
  const PeerArguments peer = peer_arguments(arguments, key.text, known_arguments());
  refuse_settings(peer);
  std::vector<Group> groups = read_groups(peer, warnings);
  if (const YamlNode* caches = peer.find("kv_cache_scheme")) {
    // Keys and values belong to the whole model: the first entry has them.
    add_item(groups.front().beside,
             "kv_cache_scheme",
             cache_scheme(*caches, peer.subject + ": 'kv_cache_scheme'", warnings));
  }
  std::vector<YamlNode> ignore;
  if (const YamlNode* node = peer.find("ignore")) {
    ignore = peer_texts(*node, peer.subject + ": 'ignore'");
  }
  if (groups.size() == 1) {
    return {entry(key, groups[0], groups[0].targets, ignore)};
  }
  return disjoint_entries(key, groups, ignore, warnings);
}

}  // namespace oneshot::recipes
