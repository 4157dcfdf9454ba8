// Phi-3 and Phi-3.5-mini: q, k, v and gate, up are one Linear each. Transformers reads the rope
// type "yarn" of these as longrope.
#include "engine/models/decoder.h"
#include "engine/models/families.h"

namespace oneshot {

DecoderConfig read_phi3(const nlohmann::json& json) {
  nlohmann::json config = json;
  for (const char* section : {"rope_scaling", "rope_parameters"}) {
    const auto rope = config.find(section);
    if (rope != config.end() && rope->is_object()) {
      for (const char* key : {"type", "rope_type"}) {
        if (rope->value(key, nlohmann::json()) == "yarn") {
          (*rope)[key] = "longrope";
        }
      }
    }
  }
  DecoderConfig decoder = read_decoder(config, 1e-5, 10000);
  decoder.fused_linears = true;
  window_all_layers(config, decoder);
  return decoder;
}

std::unique_ptr<ModelGraph> make_phi3(const ModelSource& source) {
  return make_decoder(read_phi3(source.config()));
}

}  // namespace oneshot
