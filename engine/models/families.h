// What the files of the families offer to the registry.
#pragma once

#include <memory>

#include "engine/graph/model_graph.h"
#include "engine/models/model_source.h"

namespace oneshot {

std::unique_ptr<ModelGraph> make_llama(const ModelSource& source);
std::unique_ptr<ModelGraph> make_mistral(const ModelSource& source);
std::unique_ptr<ModelGraph> make_qwen2(const ModelSource& source);
std::unique_ptr<ModelGraph> make_qwen2_vl(const ModelSource& source);
std::unique_ptr<ModelGraph> make_qwen2_5_vl(const ModelSource& source);
std::unique_ptr<ModelGraph> make_qwen3(const ModelSource& source);
std::unique_ptr<ModelGraph> make_phi3(const ModelSource& source);
std::unique_ptr<ModelGraph> make_llava(const ModelSource& source);
std::unique_ptr<ModelGraph> make_llava_original(const ModelSource& source);
std::unique_ptr<ModelGraph> make_mllama(const ModelSource& source);
std::unique_ptr<ModelGraph> make_phi3_v(const ModelSource& source);
std::unique_ptr<ModelGraph> make_cogvlm2(const ModelSource& source);

}  // namespace oneshot
