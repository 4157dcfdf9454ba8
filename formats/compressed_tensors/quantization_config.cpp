#include "formats/compressed_tensors/quantization_config.h"

#include <algorithm>
#include <array>
#include <set>

#include "engine/error.h"
#include "formats/compressed_tensors/layouts.h"

namespace oneshot::compressed_tensors {
namespace {

using nlohmann::json;

// ---- enumerators and their spellings ------------------------------------------------------------

constexpr std::array<const char*, 2> kTypes{"int", "float"};
constexpr std::array<const char*, 6> kStrategies{
    "tensor", "channel", "group", "block", "token", "tensor_group"};
// In the order of ScaleDtype; null: the dtype of the weight.
constexpr std::array<const char*, 4> kScaleDtypes{
    nullptr, "torch.float16", "torch.float8_e4m3fn", "torch.uint8"};

template <typename Enum, size_t N>
const char* spelling(const std::array<const char*, N>& names, Enum value) {
  return names[static_cast<size_t>(value)];
}

template <typename Enum, size_t N>
Enum from_spelling(const std::array<const char*, N>& names, const json& text, const char* key) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == nullptr ? text.is_null() : text == names[i]) {
      return static_cast<Enum>(i);
    }
  }
  throw Error(ErrorCode::Checkpoint,
              std::string("config.json: quantization_config: ") + key + " is " + text.dump());
}

// ---- writing ------------------------------------------------------------------------------------

json args_json(const QuantArgs& args) {
  json out;
  out["actorder"] = nullptr;
  out["block_structure"] = nullptr;
  if (args.strategy == Strategy::Block) {
    out["block_structure"] = {args.block_rows, args.block_columns};
  }
  out["dynamic"] = args.dynamic == Dynamic::Yes;
  if (args.dynamic == Dynamic::Local) {
    out["dynamic"] = "local";
  }
  out["group_size"] = args.group_size > 0 ? json(args.group_size) : json(nullptr);
  out["num_bits"] = args.bits;
  out["observer"] = args.observer.empty() ? json(nullptr) : json(args.observer);
  out["observer_kwargs"] = json::object();
  // Named, compressed-tensors would compute in float16 beside a model in bfloat16, and fail.
  const char* scale_dtype =
      args.scale_dtype == ScaleDtype::F16 ? nullptr : spelling(kScaleDtypes, args.scale_dtype);
  out["scale_dtype"] = scale_dtype == nullptr ? json(nullptr) : json(scale_dtype);
  out["strategy"] = spelling(kStrategies, args.strategy);
  out["symmetric"] = args.symmetric;
  out["type"] = spelling(kTypes, args.type);
  out["zp_dtype"] = args.symmetric ? json(nullptr) : json("torch.int8");
  return out;
}

/// Modules that share scheme and targets.
struct Group {
  Scheme scheme;
  std::vector<std::string> targets;
  std::vector<const PlannedModule*> modules;
};

std::vector<Group> groups_of(const Plan& plan) {
  std::vector<Group> groups;
  for (const PlannedModule& module : plan.modules) {
    if (!module.scheme) {
      continue;
    }
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) {
      return g.scheme.weights == module.scheme->weights &&
             g.scheme.input_activations == module.scheme->input_activations &&
             g.targets == module.targets;
    });
    if (group == groups.end()) {
      groups.push_back({*module.scheme, module.targets, {}});
      group = groups.end() - 1;
    }
    group->modules.push_back(&module);
  }
  return groups;
}

bool is_class(const std::string& target) {
  return target == kind_name(ModuleKind::Linear);
}

/// Whether one of a group's targets names the module (exactly or by a regular expression), under
/// every name that a reader may know it by.
bool names_module(const Group& group, const PlannedModule& module, bool under_every_name) {
  std::vector<std::string> names = module.aliases;
  names.push_back(module.name);
  const auto fits = [&](const std::string& name) {
    ModuleInfo alone;
    alone.name = name;
    return std::any_of(group.targets.begin(), group.targets.end(), [&](const std::string& target) {
      return !is_class(target) && matches(target, alone);
    });
  };
  return under_every_name ? std::all_of(names.begin(), names.end(), fits)
                          : std::any_of(names.begin(), names.end(), fits);
}

/// Readers prefer names to classes and differ in the rest, so the recipe's targets are written only
/// where they leave no choice.
bool is_unambiguous(const std::vector<Group>& groups) {
  const auto has_class = [](const Group& g) {
    return std::any_of(g.targets.begin(), g.targets.end(), is_class);
  };
  if (std::count_if(groups.begin(), groups.end(), has_class) > 1) {
    return false;
  }
  for (const Group& group : groups) {
    for (const PlannedModule* module : group.modules) {
      if (!names_module(group, *module, true) && !has_class(group)) {
        return false;
      }
      for (const Group& other : groups) {
        if (&other != &group && names_module(other, *module, false)) {
          return false;
        }
      }
    }
  }
  return true;
}

/// A module under every name that a reader may know it by: vLLM looks for the names of the
/// checkpoint, Transformers for those of its own classes, which it changes from release to release.
void add_names(const PlannedModule& module, json& names) {
  names.push_back(module.name);
  for (const std::string& alias : module.aliases) {
    names.push_back(alias);
  }
}

json module_names(const Group& group) {
  json names = json::array();
  for (const PlannedModule* module : group.modules) {
    add_names(*module, names);
  }
  return names;
}

json ignore_list(const Plan& plan) {
  json ignore = json::array();
  for (const PlannedModule& module : plan.modules) {
    const bool linear = module.kind == ModuleKind::Linear || module.kind == ModuleKind::Router;
    if (linear && !module.scheme) {
      add_names(module, ignore);
    }
  }
  return ignore;
}

// ---- reading ------------------------------------------------------------------------------------

QuantArgs args_from(const json& from) {
  QuantArgs args;
  args.bits = from.value("num_bits", 8);
  args.type = from_spelling<NumberType>(kTypes, from.value("type", json("int")), "type");
  args.strategy =
      from_spelling<Strategy>(kStrategies, from.value("strategy", json("tensor")), "strategy");
  const json group = from.value("group_size", json(nullptr));
  const bool grouped = args.strategy == Strategy::Group || args.strategy == Strategy::TensorGroup;
  args.group_size = grouped && group.is_number_integer() ? group.get<int64_t>() : 0;
  const json block = from.value("block_structure", json(nullptr));
  if (args.strategy == Strategy::Block && block.is_array() && block.size() == 2) {
    args.block_rows = block[0].get<int64_t>();
    args.block_columns = block[1].get<int64_t>();
  }
  args.symmetric = from.value("symmetric", true);
  const json dynamic = from.value("dynamic", json(false));
  args.dynamic = dynamic == "local" ? Dynamic::Local : dynamic == true ? Dynamic::Yes : Dynamic::No;
  args.scale_dtype = from_spelling<ScaleDtype>(
      kScaleDtypes, from.value("scale_dtype", json(nullptr)), "scale_dtype");
  const json observer = from.value("observer", json(nullptr));
  args.observer = observer.is_string() ? observer.get<std::string>() : "";
  if (const auto reason = invalid(args)) {
    throw Error(ErrorCode::Checkpoint, "config.json: quantization_config: " + *reason);
  }
  return args;
}

Scheme scheme_from(const json& group) {
  Scheme scheme;
  scheme.weights = args_from(group.at("weights"));
  const json inputs = group.value("input_activations", json(nullptr));
  if (!inputs.is_null()) {
    scheme.input_activations = args_from(inputs);
  }
  const auto preset = std::find_if(presets().begin(), presets().end(), [&](const Preset& p) {
    return p.scheme.weights == scheme.weights &&
           p.scheme.input_activations == scheme.input_activations;
  });
  scheme.name = preset == presets().end() ? "custom" : preset->scheme.name;
  return scheme;
}

/// How specifically a group's targets fit: 0 not at all, 1 by class, 2 by regex, 3 by name.
int fit(const json& group, const std::string& module) {
  ModuleInfo alone;
  alone.name = module;
  int best = 0;
  for (const json& target : group.at("targets")) {
    const std::string text = target.get<std::string>();
    if (is_class(text)) {
      best = std::max(best, 1);
    } else if (matches(text, alone)) {
      best = std::max(best, text.starts_with("re:") ? 2 : 3);
    }
  }
  return best;
}

}  // namespace

json quantization_config(const Plan& plan) {
  const std::vector<Group> groups = groups_of(plan);
  const bool by_targets = is_unambiguous(groups);
  json config_groups = json::object();
  std::set<std::string> formats;
  for (size_t i = 0; i < groups.size(); ++i) {
    const Group& group = groups[i];
    const std::string format(layout_name(layout_of(group.scheme)));
    formats.insert(format);
    json& out = config_groups["group_" + std::to_string(i)];
    out["format"] = format;
    out["input_activations"] =
        group.scheme.input_activations ? args_json(*group.scheme.input_activations) : json(nullptr);
    out["output_activations"] = nullptr;
    out["targets"] = by_targets ? json(group.targets) : module_names(group);
    out["weights"] = args_json(group.scheme.weights);
  }
  json config;
  config["config_groups"] = config_groups;
  config["format"] = formats.size() == 1 ? *formats.begin() : "mixed-precision";
  config["global_compression_ratio"] = nullptr;
  config["ignore"] = ignore_list(plan);
  config["kv_cache_scheme"] =
      plan.caches.empty() ? json(nullptr) : args_json(plan.caches.front().args);
  config["quant_method"] = "compressed-tensors";
  config["quantization_status"] = "compressed";
  config["sparsity_config"] = json::object();
  config["transform_config"] = json::object();
  config["version"] = kVersion;
  return config;
}

std::optional<QuantArgs> cache_scheme_of(const json& quantization_config) {
  const json scheme = quantization_config.value("kv_cache_scheme", json(nullptr));
  if (scheme.is_null()) {
    return std::nullopt;
  }
  try {
    return args_from(scheme);
  } catch (const json::exception& damaged) {
    throw Error(
        ErrorCode::Checkpoint,
        std::string("config.json: quantization_config: kv_cache_scheme: ") + damaged.what());
  }
}

Scheme scheme_of(const json& quantization_config, const std::string& module) {
  try {
    const json* best = nullptr;
    int best_fit = 0;
    for (const auto& [name, group] : quantization_config.at("config_groups").items()) {
      const int found = fit(group, module);
      if (found > best_fit) {
        best = &group;
        best_fit = found;
      }
    }
    if (best != nullptr) {
      return scheme_from(*best);
    }
  } catch (const json::exception& damaged) {
    throw Error(ErrorCode::Checkpoint,
                std::string("config.json: quantization_config: ") + damaged.what());
  }
  throw Error(ErrorCode::Checkpoint,
              module + ": no group of quantization_config has a target that fits it");
}

}  // namespace oneshot::compressed_tensors
