// Qwen2 and Qwen2.5: biases on q, k and v, always and only there.
#include "engine/models/decoder.h"
#include "engine/models/families.h"

namespace oneshot {

std::unique_ptr<ModelGraph> make_qwen2(const ModelSource& source) {
  const nlohmann::json& json = source.config();
  DecoderConfig decoder = read_decoder(json, 1e-6, 10000);
  decoder.query_bias = true;
  read_qwen_windows(json, decoder);
  return make_decoder(decoder);
}

}  // namespace oneshot
