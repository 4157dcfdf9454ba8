// Mistral: Llama without biases, every layer with the same sliding window.
#include "engine/models/decoder.h"
#include "engine/models/families.h"

namespace oneshot {

std::unique_ptr<ModelGraph> make_mistral(const ModelSource& source) {
  const nlohmann::json& json = source.config();
  DecoderConfig decoder = read_decoder(json, 1e-6, 10000);
  window_all_layers(json, decoder);
  return make_decoder(decoder);
}

}  // namespace oneshot
