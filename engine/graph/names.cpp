#include "engine/graph/names.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "engine/error.h"
#include "engine/graph/family_names.h"
#include "engine/graph/model_order.h"

namespace oneshot {
namespace {

// ---- kinds ----------------------------------------------------------------------------------

std::string_view last_component(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_embedding(std::string_view leaf) {
  constexpr std::array kNames{"wte", "wpe", "shared", "relative_attention_bias"};
  return contains(leaf, "emb") || std::find(kNames.begin(), kNames.end(), leaf) != kNames.end();
}

/// The small matrix that sends tokens to experts: mlp.gate, router, router.layer, …
bool is_router(std::string_view name) {
  const std::string_view leaf = last_component(name);
  const std::string_view parent = name.substr(0, name.size() - leaf.size());
  return leaf == "gate" || leaf == "shared_expert_gate" || contains(leaf, "router") ||
         parent.ends_with("router.");
}

ModuleKind kind_of(std::string_view name, const std::vector<int64_t>& weight_shape) {
  const std::string_view leaf = last_component(name);
  if (contains(leaf, "norm") || leaf.starts_with("ln_") || weight_shape.size() == 1) {
    return contains(leaf, "norm") || contains(leaf, "ln") ? ModuleKind::Norm : ModuleKind::Other;
  }
  if (weight_shape.size() != 2) {
    return ModuleKind::Other;  // convolutions, fused experts
  }
  if (is_embedding(leaf)) {
    return ModuleKind::Embedding;
  }
  return is_router(name) ? ModuleKind::Router : ModuleKind::Linear;
}

// ---- tied lm_head -----------------------------------------------------------------------------

/// The lm_head that goes with an embedding: "model.embed_tokens" → "lm_head",
/// "language_model.model.embed_tokens" → "language_model.lm_head".
std::optional<std::string> head_of_embedding(const std::string& name) {
  constexpr std::string_view kOld = "model.embed_tokens";
  if (name == kOld || name == "model.language_model.embed_tokens") {
    return "lm_head";
  }
  const std::string_view view = name;
  if (view.ends_with(".model.embed_tokens")) {
    return name.substr(0, name.size() - kOld.size()) + "lm_head";
  }
  return std::nullopt;
}

std::optional<bool> tie_in_config(const nlohmann::json& config) {
  for (const char* section : {"", "text_config"}) {
    const nlohmann::json* part = &config;
    if (*section != '\0') {
      const auto found = config.find(section);
      if (found == config.end() || !found->is_object()) {
        continue;
      }
      part = &*found;
    }
    const auto tie = part->find("tie_word_embeddings");
    if (tie != part->end() && tie->is_boolean()) {
      return tie->get<bool>();
    }
  }
  return std::nullopt;
}

bool has_language_head(const nlohmann::json& config) {
  const auto found = config.find("architectures");
  if (found == config.end() || !found->is_array() || found->empty() ||
      !found->front().is_string()) {
    return false;
  }
  const std::string architecture = found->front().get<std::string>();
  return contains(architecture, "CausalLM") || contains(architecture, "ConditionalGeneration") ||
         contains(architecture, "LMHead");
}

void mark_tied_heads(const nlohmann::json& config, std::vector<ModuleInfo>& modules) {
  const std::optional<bool> tie = tie_in_config(config);
  std::vector<ModuleInfo> heads;
  for (const ModuleInfo& module : modules) {
    const auto head = head_of_embedding(module.name);
    if (module.kind != ModuleKind::Embedding || !head) {
      continue;
    }
    const auto stored = std::find_if(
        modules.begin(), modules.end(), [&](const ModuleInfo& m) { return m.name == *head; });
    if (stored != modules.end()) {
      stored->tied = tie.value_or(false);
    } else if (tie.value_or(has_language_head(config))) {
      ModuleInfo& added = heads.emplace_back();
      added.name = *head;
      added.kind = ModuleKind::Linear;
      added.tied = true;
    }
  }
  modules.insert(modules.end(), heads.begin(), heads.end());
}

}  // namespace

std::string_view kind_name(ModuleKind kind) {
  constexpr std::array<std::string_view, 5> kNames{
      "Linear", "Embedding", "Norm", "Router", "Other"};
  return kNames[static_cast<size_t>(kind)];
}

std::vector<ModuleInfo> list_modules(const nlohmann::json& config,
                                     std::span<const NamedShape> tensors) {
  const auto type_entry = config.find("model_type");
  const bool typed = type_entry != config.end() && type_entry->is_string();
  const std::string model_type = typed ? type_entry->get<std::string>() : "";
  if (stores_transposed_weights(model_type)) {
    throw Error(ErrorCode::Unsupported,
                "config.json: model type '" + model_type +
                    "' stores its weights transposed (Conv1D), which is not supported");
  }
  std::map<std::string, ModuleInfo> by_name;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string& tensor = tensors[i].name;
    const size_t dot = tensor.rfind('.');
    const std::string name = dot == std::string::npos ? tensor : tensor.substr(0, dot);
    ModuleInfo& module = by_name[name];
    module.name = name;
    module.tensors.push_back(i);
    if (dot != std::string::npos && tensor.substr(dot) == ".weight") {
      module.weight = i;
      module.kind = kind_of(name, tensors[i].shape);
    }
  }
  std::vector<ModuleInfo> modules;
  modules.reserve(by_name.size());
  for (auto& [name, module] : by_name) {
    modules.push_back(std::move(module));
  }
  mark_tied_heads(config, modules);

  for (ModuleInfo& module : modules) {
    module.aliases = aliases_of(module.name, model_type);
  }
  std::stable_sort(modules.begin(), modules.end(), [](const ModuleInfo& a, const ModuleInfo& b) {
    return model_order(a.name, b.name);
  });
  return modules;
}

std::vector<std::vector<size_t>> fused_sets(std::span<const ModuleInfo> modules) {
  static const std::vector<std::vector<std::string_view>> kFused{
      {"q_proj", "k_proj", "v_proj"},
      {"gate_proj", "up_proj"},
      {"q_a_proj", "kv_a_proj_with_mqa"},
      {"w1", "w3"},
  };
  std::map<std::string_view, size_t> by_name;
  for (size_t i = 0; i < modules.size(); ++i) {
    by_name.emplace(modules[i].name, i);
  }
  std::vector<std::vector<size_t>> sets;
  std::set<std::pair<std::string, size_t>> seen;
  for (const ModuleInfo& module : modules) {
    const std::string_view leaf = last_component(module.name);
    const std::string parent = module.name.substr(0, module.name.size() - leaf.size());
    for (size_t row = 0; row < kFused.size(); ++row) {
      const auto& members = kFused[row];
      const bool is_member = std::find(members.begin(), members.end(), leaf) != members.end();
      if (!is_member || !seen.insert({parent, row}).second) {
        continue;
      }
      std::vector<size_t> set;
      for (const std::string_view member : members) {
        const auto found = by_name.find(parent + std::string(member));
        if (found != by_name.end() && modules[found->second].kind == ModuleKind::Linear) {
          set.push_back(found->second);
        }
      }
      if (set.size() > 1) {
        sets.push_back(std::move(set));
      }
    }
  }
  return sets;
}

}  // namespace oneshot
