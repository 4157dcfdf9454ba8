// What the names of tensors and modules are in the model families whose names changed, or whose
// weights are stored in another way.
#pragma once

#include <string>
#include <vector>

namespace oneshot {

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
