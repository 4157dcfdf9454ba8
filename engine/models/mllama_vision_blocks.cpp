#include "engine/models/mllama_vision_blocks.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/models/vision_layers.h"

namespace oneshot {
namespace {

constexpr double kOuterEpsilon = 1e-5;  // of the norms around the transformers, in every config

/// A table of vectors by aspect ratio and tile, which a gate scales.
class TilePositions {
 public:
  TilePositions(const MllamaVisionConfig& config, const std::string& name)
      : config_(config),
        table_(name + ".embedding.weight", {config.ratio_ids(), config.tiles * config.hidden_size}),
        gate_(name + ".gate", {1}) {}

  /// x [images, tiles, tokens, hidden size] → the same.
  at::Tensor add_to(const at::Tensor& x, const at::Tensor& ids) const {
    const at::Tensor rows =
        table_.weight.index_select(0, ids).view({-1, config_.tiles, 1, config_.hidden_size});
    return x + rows * at::tanh(gate_.weight);
  }

  Parameter* table() { return &table_; }
  Parameter* gate() { return &gate_; }

 private:
  MllamaVisionConfig config_;
  Parameter table_, gate_;
};

/// By image. int64 [images]
at::Tensor ids_of(const BlockContext& context) {
  return context.images->at("aspect_ratio_ids").reshape({-1});
}

class MllamaEmbedding : public Block {
 public:
  explicit MllamaEmbedding(const MllamaVisionConfig& config)
      : config_(config),
        name_(config.prefix + "patch_embedding"),
        patches_(name_, config.channels, config.patch_size, config.hidden_size, false),
        tiles_before_(config, config.prefix + "pre_tile_positional_embedding"),
        class_token_(config.prefix + "class_embedding", {config.hidden_size}),
        positions_(config.prefix + "gated_positional_embedding.embedding",
                   {config.tokens(), config.hidden_size}),
        tile_positions_(config.prefix + "gated_positional_embedding.tile_embedding.weight",
                        {config.ratio_ids(), config.tiles * config.tokens() * config.hidden_size}),
        gate_(config.prefix + "gated_positional_embedding.gate", {1}),
        norm_(config.prefix + "layernorm_pre", config.hidden_size, kOuterEpsilon) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& pixels, const BlockContext& context) override {
    const at::Tensor ids = ids_of(context);
    check(pixels, ids.numel());
    const int64_t images = ids.size(0), tiles = config_.tiles, hidden = config_.hidden_size;
    at::Tensor x = patches_.forward(pixels.flatten(0, 2)).view({images, tiles, -1, hidden});
    x = tiles_before_.add_to(x, ids);
    x = at::cat({class_token_.weight.expand({images, tiles, 1, hidden}), x}, 2);
    const at::Tensor gate = at::tanh(gate_.weight);
    x = x + (1 - gate) * positions_.weight;
    x = x + gate * tile_positions_.weight.index_select(0, ids).view(x.sizes());
    x = at::constant_pad_nd(norm_.forward(x), {0, 0, 0, config_.padded_tokens() - x.size(2)});
    return x.reshape({images, -1, hidden});
  }

  std::vector<Module*> modules() override {
    return {&patches_,
            tiles_before_.table(),
            tiles_before_.gate(),
            &class_token_,
            &positions_,
            &tile_positions_,
            &gate_,
            &norm_};
  }

 private:
  void check(const at::Tensor& pixels, int64_t images) const {
    const at::IntArrayRef found = pixels.sizes();
    const std::vector<int64_t> wanted{
        1, images, config_.tiles, config_.channels, config_.image_size, config_.image_size};
    if (found != at::IntArrayRef(wanted)) {
      throw Error(ErrorCode::Checkpoint,
                  c10::str("pixel_values of the shape ",
                           found,
                           " came to a tower that reads ",
                           at::IntArrayRef(wanted),
                           "; do preprocessor_config.json and config.json belong together?"));
    }
  }

  MllamaVisionConfig config_;
  std::string name_;
  PatchEmbedding patches_;
  TilePositions tiles_before_;
  Parameter class_token_, positions_, tile_positions_, gate_;
  LayerNorm norm_;
};

/// Attention of the tokens of one image. Padding, of tiles and of tokens, sees all but padding;
/// what is there sees everything, padding too, as the model was trained. Two passes need no mask
/// of tokens · tokens. seen: bool [T].
at::Tensor attend_image(const at::Tensor& query,
                        const at::Tensor& key,
                        const at::Tensor& value,
                        int64_t heads,
                        const at::Tensor& seen) {
  const at::Tensor there = seen.nonzero().squeeze(1);
  const at::Tensor padding = seen.logical_not().nonzero().squeeze(1);
  const at::Tensor own = attend_all(query.index_select(1, there), key, value, heads);
  const at::Tensor padded = attend_all(query.index_select(1, padding),
                                       key.index_select(1, there),
                                       value.index_select(1, there),
                                       heads);
  return at::cat({own, padded}, 1).index_select(1, at::cat({there, padding}).argsort());
}

class MllamaVisionLayer : public Block {
 public:
  MllamaVisionLayer(const MllamaVisionConfig& config, std::string name, bool gated)
      : config_(config),
        name_(std::move(name)),
        gated_(gated),
        activation_(activation_of(config.activation, "vision_config.hidden_act")),
        attention_norm_(name_ + ".input_layernorm", config.hidden_size, config.norm_epsilon),
        mlp_norm_(name_ + ".post_attention_layernorm", config.hidden_size, config.norm_epsilon),
        query_(square(".self_attn.q_proj")),
        key_(square(".self_attn.k_proj")),
        value_(square(".self_attn.v_proj")),
        output_(square(".self_attn.o_proj")),
        up_(name_ + ".mlp.fc1", config.hidden_size, config.intermediate_size, true),
        down_(name_ + ".mlp.fc2", config.intermediate_size, config.hidden_size, true),
        attention_gate_(name_ + ".gate_attn", {1}),
        mlp_gate_(name_ + ".gate_ffn", {1}) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext& context) override {
    const at::Tensor mixed =
        output_.forward(attention(attention_norm_.forward(hidden), *context.images));
    const at::Tensor attended = hidden + through_gate(attention_gate_, mixed);
    const at::Tensor inner = activation_(up_.forward(mlp_norm_.forward(attended)));
    return attended + through_gate(mlp_gate_, down_.forward(inner));
  }

  std::vector<Module*> modules() override {
    std::vector<Module*> all{
        &attention_norm_, &query_, &key_, &value_, &output_, &mlp_norm_, &up_, &down_};
    if (gated_) {
      all.insert(all.end(), {&attention_gate_, &mlp_gate_});
    }
    return all;
  }

 private:
  Linear square(const char* name) const {
    return {name_ + name, config_.hidden_size, config_.hidden_size, false};
  }

  at::Tensor through_gate(const Parameter& gate, const at::Tensor& x) const {
    return gated_ ? at::tanh(gate.weight) * x : x;
  }

  at::Tensor attention(const at::Tensor& x, const ImageInput& images) {
    const at::Tensor query = query_.forward(x), key = key_.forward(x), value = value_.forward(x);
    const at::Tensor tiles = mllama_tiles(config_, images);
    const at::Tensor seen =  // [images, tiles · padded tokens]
        at::constant_pad_nd(tiles.unsqueeze(2).expand({-1, -1, config_.tokens()}),
                            {0, config_.padded_tokens() - config_.tokens()})
            .flatten(1);
    std::vector<at::Tensor> mixed;
    for (int64_t i = 0; i < x.size(0); ++i) {
      const auto one = [i](const at::Tensor& all) { return all.narrow(0, i, 1); };
      mixed.push_back(attend_image(one(query), one(key), one(value), config_.heads, seen[i]));
    }
    return at::cat(mixed);
  }

  MllamaVisionConfig config_;
  std::string name_;
  bool gated_;
  Activation activation_;
  LayerNorm attention_norm_, mlp_norm_;
  Linear query_, key_, value_, output_, up_, down_;
  Parameter attention_gate_, mlp_gate_;
};

class MllamaPostNorm : public Block {
 public:
  explicit MllamaPostNorm(const MllamaVisionConfig& config)
      : config_(config),
        norm_(config.prefix + "layernorm_post", config.hidden_size, kOuterEpsilon),
        tiles_after_(config, config.prefix + "post_tile_positional_embedding") {}

  const std::string& name() const override { return norm_.name(); }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext& context) override {
    const at::Tensor normed =
        norm_.forward(hidden).view({hidden.size(0), config_.tiles, -1, config_.hidden_size});
    return tiles_after_.add_to(normed, ids_of(context)).view(hidden.sizes());
  }

  std::vector<Module*> modules() override {
    return {&norm_, tiles_after_.table(), tiles_after_.gate()};
  }

 private:
  MllamaVisionConfig config_;
  LayerNorm norm_;
  TilePositions tiles_after_;
};

class MllamaProjector : public Block {
 public:
  explicit MllamaProjector(const MllamaVisionConfig& config)
      : config_(config), projector_(config.projector, config.features(), config.text_size, true) {}

  const std::string& name() const override { return projector_.name(); }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext& context) override {
    // The kept states lie interleaved: a channel of all of them, then the next.
    const at::Tensor kept = at::stack(context.kept, -1).flatten(2);
    const at::Tensor features = at::cat({hidden, kept}, -1)  // [images · tiles, tokens, features]
                                    .view({-1, config_.padded_tokens(), config_.features()})
                                    .narrow(1, 0, config_.tokens());
    return projector_.forward(features);
  }

  std::vector<Module*> modules() override { return {&projector_}; }

 private:
  MllamaVisionConfig config_;
  Linear projector_;
};

}  // namespace

std::unique_ptr<Block> make_mllama_embedding(const MllamaVisionConfig& config) {
  return std::make_unique<MllamaEmbedding>(config);
}

std::unique_ptr<Block> make_mllama_vision_layer(const MllamaVisionConfig& config,
                                                std::string name,
                                                bool gated) {
  return std::make_unique<MllamaVisionLayer>(config, std::move(name), gated);
}

std::unique_ptr<Block> make_mllama_post_norm(const MllamaVisionConfig& config) {
  return std::make_unique<MllamaPostNorm>(config);
}

std::unique_ptr<Block> make_mllama_projector(const MllamaVisionConfig& config) {
  return std::make_unique<MllamaProjector>(config);
}

}  // namespace oneshot
