// Qwen3: norms over each head of q and k, before the rotation.
#include "engine/models/config_reader.h"
#include "engine/models/decoder.h"
#include "engine/models/families.h"

namespace oneshot {

std::unique_ptr<ModelGraph> make_qwen3(const ModelSource& source) {
  const nlohmann::json& json = source.config();
  const ConfigReader config(json, "config.json");
  DecoderConfig decoder = read_decoder(json, 1e-6, 10000);
  decoder.query_bias = decoder.output_bias = config.boolean("attention_bias", false);
  decoder.head_dim = config.integer("head_dim", 128);
  decoder.head_norms = true;
  decoder.rope = read_rope(json, decoder.head_dim, 10000);
  read_qwen_windows(json, decoder);
  return make_decoder(decoder);
}

}  // namespace oneshot
