#include "engine/models/cogvlm2_vision.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/models/vision_layers.h"

namespace oneshot {
namespace {

constexpr const char* kVision = "model.vision.";
constexpr double kProjectorEpsilon = 1e-5;

struct TowerConfig {
  int64_t hidden_size = 0, intermediate_size = 0, layers = 0, heads = 0;
  int64_t image_size = 0, patch_size = 0, channels = 3;
  double norm_epsilon = 1e-6;
  Activation activation = nullptr;
  int64_t text_hidden_size = 0, text_intermediate_size = 0;

  int64_t side() const { return image_size / patch_size; }  // in patches
};

class CogEmbedding : public Block {
 public:
  explicit CogEmbedding(const TowerConfig& config)
      : name_(std::string(kVision) + "patch_embedding"),
        image_size_(config.image_size),
        patches_(name_ + ".proj", config.channels, config.patch_size, config.hidden_size, true),
        class_token_(name_ + ".cls_embedding", {1, config.hidden_size}),
        positions_(name_ + ".position_embedding.weight",
                   {config.side() * config.side() + 1, config.hidden_size}) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& pixels, const BlockContext&) override {
    check_image_size(pixels, image_size_);
    const at::Tensor patches = patches_.forward(pixels);
    const at::Tensor first = class_token_.weight.expand({patches.size(0), 1, -1});
    return positions_.forward(at::cat({first, patches}, 1));
  }

  std::vector<Module*> modules() override { return {&patches_, &class_token_, &positions_}; }

 private:
  std::string name_;
  int64_t image_size_;
  PatchEmbedding patches_;
  Parameter class_token_, positions_;
};

/// Its norms are of what attention and MLP give, not of what they take.
class CogVisionLayer : public Block {
 public:
  CogVisionLayer(const TowerConfig& config, std::string name)
      : name_(std::move(name)),
        heads_(config.heads),
        activation_(config.activation),
        fused_query_(
            name_ + ".attention.query_key_value", config.hidden_size, 3 * config.hidden_size, true),
        output_(name_ + ".attention.dense", config.hidden_size, config.hidden_size, true),
        attention_norm_(name_ + ".input_layernorm", config.hidden_size, config.norm_epsilon),
        up_(name_ + ".mlp.fc1", config.hidden_size, config.intermediate_size, true),
        down_(name_ + ".mlp.fc2", config.intermediate_size, config.hidden_size, true),
        mlp_norm_(name_ + ".post_attention_layernorm", config.hidden_size, config.norm_epsilon) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext&) override {
    const std::vector<at::Tensor> parts = fused_query_.forward(hidden).chunk(3, -1);
    const at::Tensor mixed = attend_all(parts[0], parts[1], parts[2], heads_);
    const at::Tensor attended = hidden + attention_norm_.forward(output_.forward(mixed));
    return attended + mlp_norm_.forward(down_.forward(activation_(up_.forward(attended))));
  }

  std::vector<Module*> modules() override {
    return {&fused_query_, &output_, &attention_norm_, &up_, &down_, &mlp_norm_};
  }

 private:
  std::string name_;
  int64_t heads_;
  Activation activation_;
  Linear fused_query_, output_;
  LayerNorm attention_norm_;
  Linear up_, down_;
  LayerNorm mlp_norm_;
};

/// Four neighbouring patches make a row; a learned row stands before and behind those of an image.
class CogProjector : public Block {
 public:
  explicit CogProjector(const TowerConfig& config)
      : name_(std::string(kVision) + "linear_proj"),
        side_(config.side()),
        merge_(std::string(kVision) + "conv", config.hidden_size, 2, config.hidden_size, true),
        input_(name_ + ".linear_proj", config.hidden_size, config.text_hidden_size, false),
        norm_(name_ + ".norm1", config.text_hidden_size, kProjectorEpsilon),
        gate_(from_text(config, ".gate_proj")),
        up_(from_text(config, ".dense_h_to_4h")),
        down_(name_ + ".dense_4h_to_h",
              config.text_intermediate_size,
              config.text_hidden_size,
              false),
        first_(std::string(kVision) + "boi", {1, 1, config.text_hidden_size}),
        last_(std::string(kVision) + "eoi", {1, 1, config.text_hidden_size}) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext&) override {
    const int64_t images = hidden.size(0);
    const at::Tensor map = hidden
                               .narrow(1, 1, hidden.size(1) - 1)  // without the class token
                               .transpose(1, 2)
                               .reshape({images, hidden.size(2), side_, side_});
    const at::Tensor x = at::gelu(norm_.forward(input_.forward(merge_.forward(map))));
    const at::Tensor rows = down_.forward(at::silu(gate_.forward(x)) * up_.forward(x));
    return at::cat(
        {first_.weight.expand({images, 1, -1}), rows, last_.weight.expand({images, 1, -1})}, 1);
  }

  std::vector<Module*> modules() override {
    return {&merge_, &input_, &norm_, &gate_, &up_, &down_, &first_, &last_};
  }

 private:
  Linear from_text(const TowerConfig& config, const char* name) const {
    return {name_ + name, config.text_hidden_size, config.text_intermediate_size, false};
  }

  std::string name_;
  int64_t side_;
  PatchEmbedding merge_;
  Linear input_;
  LayerNorm norm_;
  Linear gate_, up_, down_;
  Parameter first_, last_;
};

TowerConfig read_tower(const ConfigReader& config) {
  TowerConfig tower;
  tower.hidden_size = config.required_size("hidden_size");
  tower.intermediate_size = config.required_size("intermediate_size");
  tower.layers = config.required_size("num_hidden_layers");
  tower.heads = config.required_size("num_heads");
  tower.image_size = config.required_size("image_size");
  tower.patch_size = config.required_size("patch_size");
  tower.channels = config.integer("in_channels", 3);
  tower.norm_epsilon = config.number("layer_norm_eps", 1e-6);
  tower.activation = activation_of(config.text("hidden_act", "gelu"), "vision_config.hidden_act");
  const bool possible = tower.layers < 10'000 && tower.hidden_size % tower.heads == 0 &&
                        tower.channels > 0 && tower.image_size < 100'000 &&
                        tower.patch_size <= tower.image_size && tower.side() % 2 == 0 &&
                        config.integer("num_positions", tower.side() * tower.side() + 1) ==
                            tower.side() * tower.side() + 1;
  if (!possible) {
    throw Error(ErrorCode::Checkpoint,
                "config.json: vision_config has impossible sizes: hidden_size, num_hidden_layers, "
                "num_heads, image_size, patch_size and num_positions must fit, with an even number "
                "of patches in a line");
  }
  return tower;
}

}  // namespace

std::unique_ptr<VisionTower> cogvlm2_tower(const ConfigReader& json,
                                           int64_t hidden_size,
                                           int64_t intermediate_size) {
  TowerConfig config = read_tower(json);
  config.text_hidden_size = hidden_size;
  config.text_intermediate_size = intermediate_size;
  auto tower = std::make_unique<VisionTower>();
  tower->blocks.push_back(std::make_unique<CogEmbedding>(config));
  for (int64_t i = 0; i < config.layers; ++i) {
    tower->blocks.push_back(std::make_unique<CogVisionLayer>(
        config, std::string(kVision) + "transformer.layers." + std::to_string(i)));
  }
  tower->blocks.push_back(std::make_unique<CogProjector>(config));
  tower->context = [](const ImageInput&, at::ScalarType) { return BlockContext{}; };
  tower->shapes = [config](const ImageInput& images) {
    const int64_t count = images.at("pixel_values").size(0);
    const int64_t patches = config.side() * config.side();
    return TowerShapes{{count, patches + 1, config.hidden_size},
                       {count, patches / 4 + 2, config.text_hidden_size}};
  };
  return tower;
}

}  // namespace oneshot
