#include "engine/graph/family_names.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace oneshot {
namespace {

/// Transformers stores these with [in, out] weights.
constexpr std::array<std::string_view, 4> kTransposedModelTypes{
    "gpt2", "openai-gpt", "imagegpt", "decision_transformer"};

struct Rename {
  std::string_view old_prefix, new_prefix;
};

/// Transformers 4.52 moved the parts of these families below `model.`; checkpoints keep either.
/// Every prefix that fits gives an alias.
struct FamilyNames {
  std::vector<std::string_view> model_types;
  std::vector<Rename> renames;
};

const std::vector<FamilyNames>& family_names() {
  static const std::vector<FamilyNames> kFamilies{
      {{"mllama"},
       {{"language_model.model.", "model.language_model."},
        {"language_model.lm_head", "lm_head"},
        {"vision_model.", "model.vision_model."},
        {"multi_modal_projector", "model.multi_modal_projector"}}},
      {{"llava"},
       {{"language_model.model.", "model.language_model."},
        {"language_model.lm_head", "lm_head"},
        {"vision_tower.vision_model.", "model.vision_tower."},
        {"vision_tower.", "model.vision_tower."},
        {"multi_modal_projector.", "model.multi_modal_projector."}}},
      {{"qwen2_vl", "qwen2_5_vl"},
       {{"visual.", "model.visual."}, {"model.", "model.language_model."}}},
  };
  return kFamilies;
}

void add_alias(std::vector<std::string>& aliases, const std::string& name, std::string alias) {
  if (alias != name && std::find(aliases.begin(), aliases.end(), alias) == aliases.end()) {
    aliases.push_back(std::move(alias));
  }
}

std::string replaced(const std::string& name, std::string_view from, std::string_view to) {
  return std::string(to) + name.substr(from.size());
}

std::vector<std::string> aliases_in(const std::string& name, const FamilyNames& family) {
  std::vector<std::string> aliases;
  for (const Rename& rename : family.renames) {
    if (name.starts_with(rename.new_prefix)) {
      add_alias(aliases, name, replaced(name, rename.new_prefix, rename.old_prefix));
    }
  }
  const bool is_new = !aliases.empty();
  for (const Rename& rename : family.renames) {
    if (!is_new && name.starts_with(rename.old_prefix)) {
      add_alias(aliases, name, replaced(name, rename.old_prefix, rename.new_prefix));
    }
  }
  return aliases;
}

}  // namespace

std::string model_family(const nlohmann::json& config) {
  const auto named = [&config](std::string_view architecture) {
    const auto found = config.find("architectures");
    return found != config.end() && found->is_array() &&
           std::find(found->begin(), found->end(), architecture) != found->end();
  };
  if (named("LlavaLlamaForCausalLM")) {
    return "llava_llama";
  }
  if (named("CogVLMForCausalLM")) {
    return "cogvlm2";
  }
  const auto type = config.find("model_type");
  return type != config.end() && type->is_string() ? type->get<std::string>() : "";
}

std::vector<std::string> aliases_of(const std::string& module, const std::string& model_type) {
  for (const FamilyNames& family : family_names()) {
    const auto& types = family.model_types;
    if (std::find(types.begin(), types.end(), model_type) != types.end()) {
      return aliases_in(module, family);
    }
  }
  return {};
}

bool stores_transposed_weights(const std::string& model_type) {
  return std::find(kTransposedModelTypes.begin(), kTransposedModelTypes.end(), model_type) !=
         kTransposedModelTypes.end();
}

std::vector<ModelNames> known_models() {
  std::vector<ModelNames> models;
  for (const FamilyNames& family : family_names()) {
    for (const std::string_view type : family.model_types) {
      models.push_back(
          {std::string(type), "module names of older and newer Transformers both match"});
    }
  }
  models.push_back(
      {"any other", "a weight of two dimensions is a Linear, but embeddings, norms and routers"});
  models.reserve(models.size() + kTransposedModelTypes.size());
  for (const std::string_view type : kTransposedModelTypes) {
    models.push_back({std::string(type), "not supported: its weights are stored transposed"});
  }
  return models;
}

}  // namespace oneshot
