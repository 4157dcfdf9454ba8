#include "formats/integers/plan_schemes.h"

#include <re2/re2.h>

#include <algorithm>

#include "engine/error.h"
#include "engine/graph/block_names.h"

namespace oneshot::integers {
namespace {

using nlohmann::json;

/// What a config tells apart.
bool same_scheme(const Scheme& a, const Scheme& b) {
  return a.weights.bits == b.weights.bits && a.weights.symmetric == b.weights.symmetric &&
         group_size_of(a.weights) == group_size_of(b.weights);
}

Scheme most_common(const std::vector<const PlannedModule*>& modules) {
  const PlannedModule* best = nullptr;
  std::ptrdiff_t best_count = 0;
  for (const PlannedModule* module : modules) {
    const auto count =
        std::count_if(modules.begin(), modules.end(), [module](const PlannedModule* other) {
          return same_scheme(*module->scheme, *other->scheme);
        });
    if (count > best_count) {
      best = module;
      best_count = count;
    }
  }
  return *best->scheme;
}

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::Checkpoint, "config.json: quantization_config: " + what);
}

template <typename T>
T value_of(const json& config, const char* key, T otherwise) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) {
    return otherwise;
  }
  try {
    return found->get<T>();
  } catch (const json::exception&) {
    refuse(std::string(key) + " is " + found->dump());
  }
}

/// The preset of these arguments, whatever the dtype of its scales; else "custom".
std::string preset_name(const QuantArgs& args) {
  for (const Preset& preset : presets()) {
    QuantArgs weights = preset.scheme.weights;
    weights.scale_dtype = args.scale_dtype;
    if (weights == args && !preset.scheme.input_activations) {
      return preset.scheme.name;
    }
  }
  return "custom";
}

}  // namespace

bool PlanSchemes::in_blocks(const std::string& module) const {
  const auto list = block_list_of(module);
  return list && std::find(blocks.begin(), blocks.end(), list->name) != blocks.end();
}

PlanSchemes schemes_of(const Plan& plan) {
  PlanSchemes schemes;
  std::vector<const PlannedModule*> quantized;
  for (const PlannedModule& module : plan.modules) {
    const bool linear = module.kind == ModuleKind::Linear || module.kind == ModuleKind::Router;
    if (module.scheme) {
      quantized.push_back(&module);
      const auto list = block_list_of(module.name);
      if (list && !schemes.in_blocks(module.name)) {
        schemes.blocks.push_back(list->name);
        const std::vector<std::string> names = block_names_of(module);
        schemes.block_names.insert(schemes.block_names.end(), names.begin(), names.end());
      }
    } else if (linear) {
      schemes.kept.push_back(&module);
    }
  }
  schemes.common = most_common(quantized);
  for (const PlannedModule* module : quantized) {
    if (!same_scheme(*module->scheme, schemes.common) || !schemes.in_blocks(module->name)) {
      schemes.others.push_back(module);
    }
  }
  std::copy_if(schemes.kept.begin(),
               schemes.kept.end(),
               std::back_inserter(schemes.kept_in_blocks),
               [&](const PlannedModule* module) {
                 return schemes.blocks.empty() || schemes.in_blocks(module->name);
               });
  return schemes;
}

int64_t group_size_of(const QuantArgs& args) {
  return args.strategy == Strategy::Group ? args.group_size : -1;
}

std::vector<std::string> names_of(const PlannedModule& module) {
  std::vector<std::string> names{module.name};
  names.insert(names.end(), module.aliases.begin(), module.aliases.end());
  return names;
}

std::vector<std::string> block_names_of(const PlannedModule& module) {
  std::vector<std::string> lists;
  for (const std::string& name : names_of(module)) {
    const auto list = block_list_of(name);
    if (list && std::find(lists.begin(), lists.end(), list->name) == lists.end()) {
      lists.push_back(list->name);
    }
  }
  return lists;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ",") + name;
  }
  return text;
}

std::string escaped(const std::string& name) {
  return "^" + re2::RE2::QuoteMeta(name) + "$";
}

std::string escaped_start(const std::string& start) {
  return "^" + re2::RE2::QuoteMeta(start);
}

std::vector<SmallFile> config_files(const json& source_config, const json& quantization_config) {
  json config = source_config;
  config["quantization_config"] = quantization_config;
  return {{"config.json", config.dump(2, ' ', true)},
          {"quantization_config.json", quantization_config.dump(2, ' ', true)}};
}

void set_float16(json& config) {
  for (const char* key : {"dtype", "torch_dtype"}) {
    config[key] = "float16";
  }
  for (auto& [name, part] : config.items()) {
    for (const char* key : {"dtype", "torch_dtype"}) {
      if (part.is_object() && part.contains(key)) {
        part[key] = "float16";
      }
    }
  }
}

json quantization_config_of(const json& config) {
  const auto found = config.find("quantization_config");
  return found != config.end() && found->is_object() ? *found : json::object();
}

Scheme default_scheme() {
  Scheme scheme;
  scheme.weights = {.bits = 4,
                    .strategy = Strategy::Group,
                    .group_size = 128,
                    .scale_dtype = ScaleDtype::F16,
                    .observer = "memoryless_minmax"};
  return scheme;
}

Scheme scheme_from(const json& config, const Scheme& outer) {
  if (!config.is_object()) {
    refuse("is " + config.dump() + " where a mapping is expected");
  }
  Scheme scheme = outer;
  QuantArgs& args = scheme.weights;
  args.bits = value_of<int>(config, "bits", args.bits);
  args.symmetric = value_of<bool>(config, "sym", args.symmetric);
  const auto group = value_of<int64_t>(config, "group_size", group_size_of(args));
  args.strategy = group == -1 ? Strategy::Channel : Strategy::Group;
  args.group_size = group == -1 ? 0 : group;
  if (const auto reason = invalid(args)) {
    refuse(*reason);
  }
  scheme.name = preset_name(args);
  return scheme;
}

const json* entry_for(const json& entries, const std::string& prefix, const std::string& module) {
  if (!entries.is_object()) {
    return nullptr;
  }
  if (const auto exact = entries.find(module); exact != entries.end()) {
    return &*exact;
  }
  for (const auto& [key, entry] : entries.items()) {
    if (!key.starts_with(prefix)) {
      continue;
    }
    const re2::RE2 pattern("^(?:" + key.substr(prefix.size()) + ")", re2::RE2::Quiet);
    if (pattern.ok() && re2::RE2::PartialMatch(module, pattern)) {
      return &entry;
    }
  }
  return nullptr;
}

}  // namespace oneshot::integers
