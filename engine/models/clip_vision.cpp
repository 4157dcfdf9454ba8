#include "engine/models/clip_vision.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/models/vision_layers.h"

namespace oneshot {
namespace {

/// Patches, class token and positions.
class ClipEmbedding : public Block {
 public:
  explicit ClipEmbedding(const ClipVisionConfig& config)
      : name_(config.prefix + "embeddings"),
        image_size_(config.image_size),
        patches_(config.prefix + "embeddings.patch_embedding",
                 config.channels,
                 config.patch_size,
                 config.hidden_size,
                 false),
        class_token_(config.prefix + "embeddings.class_embedding", {config.hidden_size}),
        positions_(config.prefix + "embeddings.position_embedding.weight",
                   {config.patches() + 1, config.hidden_size}),
        norm_(config.prefix + "pre_layrnorm", config.hidden_size, config.norm_epsilon) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& pixels, const BlockContext&) override {
    check_image_size(pixels, image_size_);
    const at::Tensor patches = patches_.forward(pixels.flatten(0, -4));
    const at::Tensor first = class_token_.weight.expand({patches.size(0), 1, -1});
    return norm_.forward(positions_.forward(at::cat({first, patches}, 1)));
  }

  std::vector<Module*> modules() override {
    return {&patches_, &class_token_, &positions_, &norm_};
  }

 private:
  std::string name_;
  int64_t image_size_;
  PatchEmbedding patches_;
  Parameter class_token_, positions_;
  LayerNorm norm_;
};

class ClipLayer : public Block {
 public:
  ClipLayer(const ClipVisionConfig& config, std::string name)
      : name_(std::move(name)),
        heads_(config.heads),
        activation_(activation_of(config.activation, "vision_config.hidden_act")),
        attention_norm_(name_ + ".layer_norm1", config.hidden_size, config.norm_epsilon),
        mlp_norm_(name_ + ".layer_norm2", config.hidden_size, config.norm_epsilon),
        query_(square(".self_attn.q_proj", config)),
        key_(square(".self_attn.k_proj", config)),
        value_(square(".self_attn.v_proj", config)),
        output_(square(".self_attn.out_proj", config)),
        up_(name_ + ".mlp.fc1", config.hidden_size, config.intermediate_size, true),
        down_(name_ + ".mlp.fc2", config.intermediate_size, config.hidden_size, true) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext&) override {
    const at::Tensor x = attention_norm_.forward(hidden);
    const at::Tensor attended =
        hidden +
        output_.forward(attend_all(query_.forward(x), key_.forward(x), value_.forward(x), heads_));
    return attended + down_.forward(activation_(up_.forward(mlp_norm_.forward(attended))));
  }

  std::vector<Module*> modules() override {
    return {&attention_norm_, &query_, &key_, &value_, &output_, &mlp_norm_, &up_, &down_};
  }

 private:
  Linear square(const char* name, const ClipVisionConfig& config) const {
    return {name_ + name, config.hidden_size, config.hidden_size, true};
  }

  std::string name_;
  int64_t heads_;
  Activation activation_;
  LayerNorm attention_norm_, mlp_norm_;
  Linear query_, key_, value_, output_, up_, down_;
};

}  // namespace

ClipVisionConfig read_clip_vision(const ConfigReader& config, std::string prefix) {
  ClipVisionConfig clip;
  clip.hidden_size = config.integer("hidden_size", 768);
  clip.intermediate_size = config.integer("intermediate_size", 3072);
  clip.layers = config.integer("num_hidden_layers", 12);
  clip.heads = config.integer("num_attention_heads", 12);
  clip.image_size = config.integer("image_size", 224);
  clip.patch_size = config.integer("patch_size", 32);
  clip.channels = config.integer("num_channels", 3);
  clip.norm_epsilon = config.number("layer_norm_eps", 1e-5);
  clip.activation = config.text("hidden_act", "quick_gelu");
  clip.prefix = std::move(prefix);
  const bool possible = clip.hidden_size > 0 && clip.intermediate_size > 0 && clip.layers > 0 &&
                        clip.layers < 10'000 && clip.heads > 0 &&
                        clip.hidden_size % clip.heads == 0 && clip.patch_size > 0 &&
                        clip.image_size >= clip.patch_size && clip.image_size < 100'000 &&
                        clip.channels > 0;
  if (!possible) {
    throw Error(ErrorCode::Checkpoint,
                "the vision tower's config has impossible sizes: hidden_size, intermediate_size, "
                "num_hidden_layers, num_attention_heads, image_size and patch_size must fit");
  }
  return clip;
}

size_t clip_state(const ClipVisionConfig& config, int64_t layer) {
  const int64_t state = layer < 0 ? config.layers + 1 + layer : layer;
  if (state < 0 || state > config.layers) {
    throw Error(ErrorCode::Checkpoint,
                "config.json: the vision feature layer " + std::to_string(layer) +
                    " is none of the tower's " + std::to_string(config.layers));
  }
  return static_cast<size_t>(state);
}

std::vector<std::unique_ptr<Block>> clip_blocks(const ClipVisionConfig& config) {
  std::vector<std::unique_ptr<Block>> blocks;
  blocks.push_back(std::make_unique<ClipEmbedding>(config));
  for (int64_t i = 0; i < config.layers; ++i) {
    blocks.push_back(
        std::make_unique<ClipLayer>(config, config.prefix + "encoder.layers." + std::to_string(i)));
  }
  return blocks;
}

}  // namespace oneshot
