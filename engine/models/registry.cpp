#include "engine/models/registry.h"

#include <array>

#include "engine/error.h"
#include "engine/models/config_reader.h"
#include "engine/models/families.h"

namespace oneshot {
namespace {

constexpr std::array kFamilies{
    ModelFamily{"llama", "Llama 2, 3, 3.1, 3.2 and what is built like them", make_llama},
    ModelFamily{"mistral", "Mistral, with its sliding window", make_mistral},
    ModelFamily{"qwen2", "Qwen2 and Qwen2.5", make_qwen2},
    ModelFamily{"qwen3", "Qwen3", make_qwen3},
    ModelFamily{"phi3", "Phi-3 and Phi-3.5-mini", make_phi3},
};

}  // namespace

std::span<const ModelFamily> model_families() {
  return kFamilies;
}

std::unique_ptr<ModelGraph> make_model(const nlohmann::json& config) {
  const std::string type = ConfigReader(config, "config.json").text("model_type", "");
  std::string known;
  for (const ModelFamily& family : kFamilies) {
    if (type == family.model_type) {
      return family.make(config);
    }
    known += (known.empty() ? "" : ", ") + std::string(family.model_type);
  }
  throw Error(ErrorCode::Unsupported,
              "config.json: models of type '" + type + "' cannot be run, only " + known +
                  "; recipes without calibration and evaluation work all the same");
}

}  // namespace oneshot
