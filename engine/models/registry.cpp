#include "engine/models/registry.h"

#include <array>

#include "engine/error.h"
#include "engine/graph/family_names.h"
#include "engine/models/families.h"

namespace oneshot {
namespace {

constexpr std::array kFamilies{
    ModelFamily{"llama", "Llama 2, 3, 3.1, 3.2 and what is built like them", make_llama},
    ModelFamily{"mistral", "Mistral, with its sliding window", make_mistral},
    ModelFamily{"qwen2", "Qwen2 and Qwen2.5", make_qwen2},
    ModelFamily{"qwen3", "Qwen3", make_qwen3},
    ModelFamily{"phi3", "Phi-3 and Phi-3.5-mini", make_phi3},
    ModelFamily{"llava", "LLaVA-1.5 in the layout of Transformers", make_llava},
    ModelFamily{"llava_llama", "LLaVA-1.5 in its own layout", make_llava_original},
    ModelFamily{"mllama", "Llama-3.2-Vision", make_mllama},
    ModelFamily{"qwen2_vl", "Qwen2-VL", make_qwen2_vl},
    ModelFamily{"qwen2_5_vl", "Qwen2.5-VL", make_qwen2_5_vl},
    ModelFamily{"phi3_v", "Phi-3-vision and Phi-3.5-vision", make_phi3_v},
    ModelFamily{"cogvlm2", "CogVLM2, with its vision experts", make_cogvlm2},
};

}  // namespace

std::span<const ModelFamily> model_families() {
  return kFamilies;
}

std::unique_ptr<ModelGraph> make_model(const nlohmann::json& config) {
  return make_model(ModelSource(config));
}

std::unique_ptr<ModelGraph> make_model(const ModelSource& source) {
  const std::string type = model_family(source.config());
  std::string known;
  for (const ModelFamily& family : kFamilies) {
    if (type == family.name) {
      return family.make(source);
    }
    known += (known.empty() ? "" : ", ") + std::string(family.name);
  }
  throw Error(ErrorCode::Unsupported,
              "config.json: models of type '" + type + "' cannot be run, only " + known +
                  "; recipes without calibration and evaluation work all the same");
}

}  // namespace oneshot
