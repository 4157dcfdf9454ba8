// Llama 2, 3, 3.1, 3.2 (text).
#include "engine/models/config_reader.h"
#include "engine/models/decoder.h"
#include "engine/models/families.h"

namespace oneshot {

std::unique_ptr<ModelGraph> make_llama(const ModelSource& source) {
  const nlohmann::json& json = source.config();
  const ConfigReader config(json, "config.json");
  DecoderConfig decoder = read_decoder(json, 1e-6, 10000);
  decoder.query_bias = decoder.output_bias = config.boolean("attention_bias", false);
  decoder.mlp_bias = config.boolean("mlp_bias", false);
  return make_decoder(decoder);
}

}  // namespace oneshot
