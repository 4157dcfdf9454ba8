#include "engine/error.h"
#include "engine/models/config_reader.h"
#include "engine/models/decoder.h"

namespace oneshot {
namespace {

constexpr int64_t kMostLayers = 10'000;

void check(bool right, const std::string& message) {
  if (!right) {
    throw Error(ErrorCode::Checkpoint, "config.json: " + message);
  }
}

}  // namespace

DecoderConfig read_decoder(const nlohmann::json& json,
                           double default_epsilon,
                           double default_theta) {
  const ConfigReader config(json, "config.json");
  DecoderConfig decoder;
  decoder.hidden_size = config.required_size("hidden_size");
  decoder.intermediate_size = config.required_size("intermediate_size");
  decoder.layers = config.required_size("num_hidden_layers");
  decoder.vocabulary_size = config.required_size("vocab_size");
  decoder.heads = config.required_size("num_attention_heads");
  decoder.key_value_heads = config.integer("num_key_value_heads", decoder.heads);
  decoder.head_dim = config.integer("head_dim", decoder.hidden_size / decoder.heads);
  decoder.norm_epsilon = config.number("rms_norm_eps", default_epsilon);
  decoder.tied_head = config.boolean("tie_word_embeddings", false);
  check(decoder.layers <= kMostLayers,
        "num_hidden_layers is more than " + std::to_string(kMostLayers));
  check(decoder.key_value_heads > 0 && decoder.heads % decoder.key_value_heads == 0,
        "num_key_value_heads must divide num_attention_heads");
  check(decoder.head_dim > 0 && decoder.head_dim % 2 == 0, "head_dim must be even");
  const std::string activation = config.text("hidden_act", "silu");
  if (activation != "silu") {
    throw Error(ErrorCode::Unsupported,
                "config.json: hidden_act '" + activation + "' is not supported, only silu");
  }
  decoder.rope = read_rope(json, decoder.head_dim, default_theta);
  check(decoder.rope.original_positions > 0 && decoder.rope.max_positions > 0 &&
            decoder.rope.factor > 0,
        "the rope settings must be above 0");
  return decoder;
}

void window_all_layers(const nlohmann::json& json, DecoderConfig& decoder) {
  decoder.window = ConfigReader(json, "config.json").integer("sliding_window", 0);
  check(decoder.window >= 0, "sliding_window must not be negative");
  decoder.windowed.assign(static_cast<size_t>(decoder.layers), decoder.window > 0);
}

void read_qwen_windows(const nlohmann::json& json, DecoderConfig& decoder) {
  const ConfigReader config(json, "config.json");
  window_all_layers(json, decoder);
  const std::vector<std::string> types = config.texts("layer_types");
  const int64_t full_layers = config.integer("max_window_layers", decoder.layers);
  if (!config.boolean("use_sliding_window", false)) {
    decoder.window = 0;
  }
  check(types.empty() || types.size() == decoder.windowed.size(),
        "layer_types must name every layer");
  for (size_t i = 0; i < decoder.windowed.size(); ++i) {
    const bool asked =
        types.empty() ? static_cast<int64_t>(i) >= full_layers : types[i] == "sliding_attention";
    decoder.windowed[i] = decoder.window > 0 && asked;
  }
}

}  // namespace oneshot
