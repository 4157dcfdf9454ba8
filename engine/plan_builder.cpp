#include "engine/plan_builder.h"

#include <algorithm>

#include "engine/error.h"

namespace oneshot {
namespace {

/// "model.layers.0.self_attn" of "model.layers.0.self_attn.k_proj"; empty for what is no key
/// projection of a language model. What vision towers compute is not kept for later tokens.
std::string attention_of(const std::string& module) {
  for (const std::string_view projection : {".k_proj", ".qkv_proj"}) {
    const bool fits = module.ends_with(projection) && module.find("vision") == std::string::npos;
    std::string parent = fits ? module.substr(0, module.size() - projection.size()) : "";
    if (parent.ends_with(".self_attn")) {
      return parent;
    }
  }
  return "";
}

}  // namespace

PlanBuilder::PlanBuilder(Plan& plan,
                         std::span<const ModuleInfo> modules,
                         size_t modifier,
                         std::string modifier_name)
    : plan_(plan),
      modules_(modules),
      modifier_(modifier),
      modifier_name_(std::move(modifier_name)) {}

std::vector<Choice> PlanBuilder::select(const Selection& selection) {
  std::vector<Choice> choices = oneshot::select(modifier_name_, selection, modules_);
  if (selection.allow_unmatched) {
    for (const std::string& line : unmatched_patterns(modifier_name_, selection, modules_)) {
      warn(line);
    }
  }
  return choices;
}

std::vector<bool> PlanBuilder::fits(const std::string& key,
                                    const Pattern& pattern,
                                    bool allow_unmatched) {
  return modules_fitted({modifier_name_, key, allow_unmatched}, pattern, modules_);
}

void PlanBuilder::quantize(size_t module,
                           const Scheme& scheme,
                           const Choice& choice,
                           const Selection& selection) {
  PlannedModule& planned = plan_.modules[module];
  if (planned.scheme) {
    throw Error(ErrorCode::Recipe,
                planned.name + ": modifiers." + std::to_string(modifier_) + " (" + modifier_name_ +
                    ") and modifiers." + std::to_string(planned.quantizer) + " (" +
                    plan_.modifiers[planned.quantizer] +
                    ") both quantize it; a module can be quantized once: narrow targets or ignore");
  }
  if (modules_[module].tied) {
    throw Error(ErrorCode::Unsupported,
                planned.name +
                    ": it shares the embedding's tensor (tied), which cannot be quantized; add "
                    "'" +
                    planned.name + "' to ignore");
  }
  planned.scheme = scheme;
  planned.quantizer = modifier_;
  planned.rule = choice.rule;
  planned.targets.clear();
  for (const Pattern& target : selection.targets.value_or(std::vector<Pattern>{{"Linear", ""}})) {
    planned.targets.push_back(target.text);
  }
}

void PlanBuilder::quantize_caches(const QuantArgs& args) {
  if (!plan_.caches.empty()) {
    throw Error(ErrorCode::Recipe,
                modifier_name_ + ": kv_cache_scheme: modifiers." +
                    std::to_string(plan_.caches.front().quantizer) +
                    " has one already; keys and values can be quantized once");
  }
  for (const PlannedModule& module : plan_.modules) {
    const std::string attention = attention_of(module.name);
    const bool known = std::any_of(plan_.caches.begin(),
                                   plan_.caches.end(),
                                   [&](const PlannedCache& c) { return c.attention == attention; });
    if (!attention.empty() && !known) {
      plan_.caches.push_back({attention, args, module.dtype, modifier_});
    }
  }
  if (plan_.caches.empty()) {
    throw Error(ErrorCode::Unsupported,
                modifier_name_ +
                    ": kv_cache_scheme: no self_attn with a k_proj or qkv_proj was found in the "
                    "checkpoint");
  }
}

void PlanBuilder::rewrite(size_t module, const std::string& rule) {
  PlannedModule& planned = plan_.modules[module];
  if (planned.scheme) {
    throw Error(ErrorCode::Recipe,
                planned.name + ": modifiers." + std::to_string(modifier_) + " (" + modifier_name_ +
                    ") rewrites it after it was quantized; put it before");
  }
  planned.rewriters.push_back(modifier_);
  planned.rule = rule;
}

void PlanBuilder::leave(size_t module, const Choice& choice) {
  PlannedModule& planned = plan_.modules[module];
  // A module that an ignore or fp_layers entry names says so, even where other modifiers pass it
  // by.
  if (!planned.scheme && planned.rewriters.empty() && (planned.rule.empty() || choice.targeted)) {
    planned.rule = choice.rule;
  }
}

void PlanBuilder::measure(size_t module, bool with_fused) {
  PlannedModule& planned = plan_.modules[module];
  planned.measured = true;
  planned.measured_with = {module};
  if (!with_fused) {
    return;
  }
  for (const auto& set : fused_sets(modules_)) {
    if (std::find(set.begin(), set.end(), module) != set.end()) {
      planned.measured_with = set;
    }
  }
}

}  // namespace oneshot
