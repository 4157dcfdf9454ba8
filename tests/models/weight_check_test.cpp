// A config that announces other tensors than the checkpoint has is refused before anything is run.
#include "engine/graph/weight_check.h"

#include <gtest/gtest.h>

#include "engine/models/registry.h"
#include "tests/support/expect_error.h"

namespace oneshot {
namespace {

nlohmann::json config() {
  return {{"model_type", "qwen2"},
          {"hidden_size", 8},
          {"intermediate_size", 12},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 2},
          {"num_key_value_heads", 1},
          {"vocab_size", 20}};
}

/// The tensors that a config announces.
std::vector<NamedShape> announced(const nlohmann::json& json) {
  return make_model(json)->tensors();
}

/// What is said of the tensors of config() when `key` of it has another value.
std::string refusal(const char* key, int64_t value) {
  nlohmann::json other = config();
  other[key] = value;
  return error_message(ErrorCode::Checkpoint,
                       [&] { check_weights(*make_model(other), announced(config())); });
}

TEST(WeightCheck, AnnouncesTheTensorsOfTheFamily) {
  check_weights(*make_model(config()), announced(config()));
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const NamedShape& tensor : announced(config())) {
    shapes[tensor.name] = tensor.shape;
  }
  EXPECT_EQ(shapes.size(), 2U + 1 + 2 * 12);  // embedding, head, norm; a layer has 9 and 3 biases
  EXPECT_EQ(shapes.at("model.embed_tokens.weight"), (std::vector<int64_t>{20, 8}));
  EXPECT_EQ(shapes.at("model.layers.1.self_attn.k_proj.weight"), (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(shapes.at("model.layers.1.self_attn.k_proj.bias"), (std::vector<int64_t>{4}));
  EXPECT_EQ(shapes.at("model.layers.0.mlp.down_proj.weight"), (std::vector<int64_t>{8, 12}));
}

TEST(WeightCheck, NamesTheFirstTensorThatDoesNotFit) {
  EXPECT_EQ(
      refusal("intermediate_size", 16),
      "model.layers.0.mlp.gate_proj.weight: has the shape [12, 8], config.json announces [16, "
      "8]; does it belong to these weights?");
  EXPECT_EQ(refusal("vocab_size", 21),
            "model.embed_tokens.weight: has the shape [20, 8], config.json announces [21, 8]; does "
            "it belong to these weights?");
}

TEST(WeightCheck, MissesNoLayer) {
  EXPECT_EQ(
      refusal("num_hidden_layers", 3),
      "model.layers.2.input_layernorm.weight: the model needs this tensor, but the checkpoint "
      "does not have it");
  EXPECT_EQ(refusal("num_hidden_layers", 1),
            "model.layers.1.input_layernorm.weight: config.json announces 1 layers only; does it "
            "belong to these weights?");
}

}  // namespace
}  // namespace oneshot
