// What the names of tensors and modules are in the model families whose names changed, or whose
// weights are stored in another way.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace oneshot {

/// The family of a config: its model_type, but for models whose architecture says more:
/// "llava_llama" for LLaVA in its own layout, "cogvlm2" for CogVLM2. Empty: not said.
std::string model_family(const nlohmann::json& config);

/// Other names of a module of that model type, in older and newer Transformers.
std::vector<std::string> aliases_of(const std::string& module, const std::string& model_type);

/// True for model types whose weights are stored [in, out] (GPT-2's Conv1D).
bool stores_transposed_weights(const std::string& model_type);

/// A model type that the tables know, for `oneshot list models`.
struct ModelNames {
  std::string model_type;
  std::string summary;
};
std::vector<ModelNames> known_models();

}  // namespace oneshot
