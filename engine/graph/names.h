// From tensor names and config.json to modules: which of them are Linears, under which names they
// are known, in which order a model lists them, and which of them serving engines fuse.
// Knows no ATen and no model code: data-free recipes work on any checkpoint.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oneshot {

enum class ModuleKind { Linear, Embedding, Norm, Router, Other };

/// "Linear", "Embedding", "Norm", "Router", "Other".
std::string_view kind_name(ModuleKind kind);

/// A tensor as the names see it.
struct NamedShape {
  std::string name;
  std::vector<int64_t> shape;
};

/// The tensors that share a prefix: "model.layers.0.mlp.down_proj" owns ….weight and ….bias.
struct ModuleInfo {
  std::string name;                  // as in the checkpoint
  std::vector<std::string> aliases;  // other names of it in older and newer Transformers
  ModuleKind kind = ModuleKind::Other;
  std::vector<size_t> tensors;   // indices into the shapes given
  std::optional<size_t> weight;  // the one that ends in ".weight"
  bool tied = false;             // an lm_head that shares the embedding's tensor
};

/// All modules, in the order in which a model lists them: parts as the family has them, layers by
/// number, in a layer q, k, v, o, gate, up, down. A tied lm_head is listed without tensors.
/// Throws Unsupported for model types whose weights are stored transposed (GPT-2's Conv1D).
std::vector<ModuleInfo> list_modules(const nlohmann::json& config,
                                     std::span<const NamedShape> tensors);

/// Modules that serving engines load as one: q, k, v; gate, up; … Each set has two members or more,
/// as indices into `modules`, in the order of the table.
std::vector<std::vector<size_t>> fused_sets(std::span<const ModuleInfo> modules);

}  // namespace oneshot
