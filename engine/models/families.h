// What the files of the families offer to the registry.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "engine/graph/model_graph.h"

namespace oneshot {

std::unique_ptr<ModelGraph> make_llama(const nlohmann::json& config);
std::unique_ptr<ModelGraph> make_mistral(const nlohmann::json& config);
std::unique_ptr<ModelGraph> make_qwen2(const nlohmann::json& config);
std::unique_ptr<ModelGraph> make_qwen3(const nlohmann::json& config);
std::unique_ptr<ModelGraph> make_phi3(const nlohmann::json& config);

}  // namespace oneshot
