// CogVLM2: a decoder of the Llama kind whose Linears are there twice, for tokens of texts and for
// those of images. Source: arXiv:2408.16500 and the code published with the model.
#include <ATen/ATen.h>

#include "engine/kernels/kernels.h"
#include "engine/models/attention.h"
#include "engine/models/cogvlm2_vision.h"
#include "engine/models/decoder.h"
#include "engine/models/families.h"
#include "engine/models/vision_layers.h"

namespace oneshot {
namespace {

constexpr double kRopeBase = 500000;

/// RMS norm whose weight is multiplied in float32, before the one rounding.
class CogNorm : public RmsNorm {
 public:
  CogNorm(std::string name, int64_t size, double epsilon)
      : RmsNorm(std::move(name), size, epsilon), epsilon_(epsilon) {}

 private:
  at::Tensor compute(const at::Tensor& input) const override {
    return kernels::rms_norm(input.to(at::kFloat), weight.to(at::kFloat), epsilon_)
        .to(input.scalar_type());
  }

  double epsilon_;
};

/// Tokens by the experts that compute them, int64 each.
struct ExpertRows {
  at::Tensor language, vision;  // undefined: language experts compute all
  at::Tensor places;            // of the tokens, where those of vision follow those of language
};

ExpertRows split_rows(const at::Tensor& vision_rows) {
  if (!vision_rows.defined()) {
    return {};
  }
  const at::Tensor is_vision = vision_rows.view({-1});
  const at::Tensor language = is_vision.logical_not().nonzero().view({-1});
  const at::Tensor vision = is_vision.nonzero().view({-1});
  return {language, vision, at::cat({language, vision}).argsort()};
}

/// Each token of x [B, T, in] through the expert of its kind: [B, T, out].
template <class Expert>
at::Tensor by_expert(const at::Tensor& x,
                     const ExpertRows& rows,
                     Expert& language,
                     Expert& vision) {
  if (!rows.vision.defined()) {
    return language.forward(x);
  }
  const at::Tensor results = at::cat({language.forward(x.index_select(1, rows.language)),
                                      vision.forward(x.index_select(1, rows.vision))},
                                     1);
  return results.index_select(1, rows.places);
}

struct Mlp {
  Mlp(const DecoderConfig& config, const std::string& name)
      : gate(name + ".gate_proj", config.hidden_size, config.intermediate_size, false),
        up(name + ".up_proj", config.hidden_size, config.intermediate_size, false),
        down(name + ".down_proj", config.intermediate_size, config.hidden_size, false) {}

  at::Tensor forward(const at::Tensor& x) {
    return down.forward(kernels::silu_multiply(gate.forward(x), up.forward(x)));
  }

  Linear gate, up, down;
};

class CogBlock : public Block {
 public:
  CogBlock(const DecoderConfig& config, std::string name)
      : config_(config),
        name_(std::move(name)),
        input_norm_(name_ + ".input_layernorm", config.hidden_size, config.norm_epsilon),
        mlp_norm_(name_ + ".post_attention_layernorm", config.hidden_size, config.norm_epsilon),
        frequencies_(name_ + ".self_attn.rotary_emb.inv_freq", {config.head_dim / 2}),
        language_query_(fused_query("language", false)),
        vision_query_(fused_query("vision", true)),
        key_state_(name_ + ".self_attn.k"),
        value_state_(name_ + ".self_attn.v"),
        language_output_(output("language")),
        vision_output_(output("vision")),
        language_mlp_(config, name_ + ".mlp.language_mlp"),
        vision_mlp_(config, name_ + ".mlp.vision_mlp") {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext& context) override {
    const ExpertRows rows = split_rows(context.vision_rows);
    const at::Tensor attended = hidden + attention(input_norm_.forward(hidden), rows, context);
    return attended + by_expert(mlp_norm_.forward(attended), rows, language_mlp_, vision_mlp_);
  }

  std::vector<Module*> modules() override {
    return {&input_norm_,
            &frequencies_,
            &language_query_,
            &vision_query_,
            &language_output_,
            &vision_output_,
            &mlp_norm_,
            &language_mlp_.gate,
            &language_mlp_.up,
            &language_mlp_.down,
            &vision_mlp_.gate,
            &vision_mlp_.up,
            &vision_mlp_.down};
  }

  CacheStates cache_states() override { return {name_ + ".self_attn", &key_state_, &value_state_}; }

 private:
  int64_t query_size() const { return config_.heads * config_.head_dim; }
  int64_t key_size() const { return config_.key_value_heads * config_.head_dim; }

  Linear fused_query(const std::string& expert, bool bias) const {
    return {name_ + ".self_attn." + expert + "_expert_query_key_value",
            config_.hidden_size,
            query_size() + 2 * key_size(),
            bias};
  }
  Linear output(const std::string& expert) const {
    return {
        name_ + ".self_attn." + expert + "_expert_dense", query_size(), config_.hidden_size, false};
  }

  /// [B, T, heads · head_dim] → [B, T, heads, head_dim].
  at::Tensor split_heads(const at::Tensor& x, int64_t heads) const {
    return x.view({x.size(0), x.size(1), heads, config_.head_dim});
  }

  at::Tensor attention(const at::Tensor& x, const ExpertRows& rows, const BlockContext& context) {
    const std::vector<at::Tensor> projected =
        by_expert(x, rows, language_query_, vision_query_)
            .split_with_sizes({query_size(), key_size(), key_size()}, -1);
    // The angles in float32, as exact as the frequencies that are stored.
    const at::Tensor half = at::outer(context.positions.view({-1}).to(at::kFloat),
                                      frequencies_.weight.to(at::kFloat));  // [T, head_dim / 2]
    const at::Tensor angle = at::cat({half, half}, -1).unsqueeze(0);
    const at::Tensor cosine = angle.cos().to(x.scalar_type());
    const at::Tensor sine = angle.sin().to(x.scalar_type());
    const at::Tensor query =
        kernels::rotate_heads(split_heads(projected[0], config_.heads), cosine, sine);
    at::Tensor key = key_state_.forward(
        kernels::rotate_heads(split_heads(projected[1], config_.key_value_heads), cosine, sine));
    at::Tensor value =
        value_state_.forward(split_heads(projected[2], config_.key_value_heads).transpose(1, 2));
    if (context.cache != nullptr) {
      remember(*context.cache, key, value);
    }
    const at::Tensor mixed =
        attend(query, key, value, context.mask).transpose(1, 2).reshape({x.size(0), x.size(1), -1});
    return by_expert(mixed, rows, language_output_, vision_output_);
  }

  DecoderConfig config_;
  std::string name_;
  CogNorm input_norm_, mlp_norm_;
  Parameter frequencies_;
  Linear language_query_, vision_query_;
  Identity key_state_, value_state_;
  Linear language_output_, vision_output_;
  Mlp language_mlp_, vision_mlp_;
};

at::Tensor image_places(const at::Tensor& ids) {
  return ids.lt(0);
}

/// Tokens of images up to the batch's last, or further where their types are given: bool [1, …].
at::Tensor image_tokens(const TextBatch& batch) {
  const at::Tensor typed = typed_places(batch);
  if (typed.defined()) {
    return typed;
  }
  return image_places(batch.first > 0 ? at::cat({batch.before, batch.ids}, 1) : batch.ids);
}

/// The same, of the token before or behind each; false at the ends.
at::Tensor shifted(const at::Tensor& tokens, int64_t by) {
  return at::constant_pad_nd(tokens, {by, -by});
}

/// The rows between an image's first and last one share a position.
at::Tensor positions_of(const at::Tensor& images) {
  const at::Tensor inner = images.logical_and(shifted(images, 1)).logical_and(shifted(images, -1));
  const at::Tensor stays = inner.logical_and(shifted(inner, 1));
  return stays.logical_not().to(at::kLong).cumsum(1) - 1;
}

/// What the blocks read besides masks. An image's last row is computed by language experts.
void read_images(const TextBatch& batch, BlockContext& context) {
  const int64_t length = batch.ids.size(1);
  if (batch.images == nullptr) {
    context.positions = at::arange(batch.first, batch.first + length, at::kLong).unsqueeze(0);
    return;
  }
  const at::Tensor images = image_tokens(batch);  // [1, first + T or more]
  context.positions = positions_of(images).narrow(1, batch.first, length);
  const at::Tensor vision = images.logical_and(shifted(images, -1)).narrow(1, batch.first, length);
  if (vision.any().item<bool>()) {
    context.vision_rows = vision;
  }
}

DecoderConfig read_text(const nlohmann::json& json) {
  nlohmann::json config = json;
  config["num_key_value_heads"] =
      ConfigReader(json, "config.json").required_size("num_multi_query_heads");
  config["rope_theta"] = kRopeBase;  // which no config names; blocks read what is stored
  return read_decoder(config, 1e-5, kRopeBase);
}

std::vector<FoldablePair> foldable_of(const std::string& block) {
  const std::string attention = block + ".self_attn.";
  const std::string language = block + ".mlp.language_mlp.", vision = block + ".mlp.vision_mlp.";
  return {
      {block + ".input_layernorm",
       {attention + "language_expert_query_key_value",
        attention + "vision_expert_query_key_value"}},
      {block + ".post_attention_layernorm",
       {language + "gate_proj", language + "up_proj", vision + "gate_proj", vision + "up_proj"}},
      {language + "up_proj", {language + "down_proj"}},
      {vision + "up_proj", {vision + "down_proj"}}};
}

/// Beside what a decoder holds, tokens sorted by their experts and what came back.
uint64_t sorting_bytes(const DecoderConfig& config, int64_t tokens) {
  const int64_t heads = (config.heads + 2 * config.key_value_heads) * config.head_dim;
  const int64_t floats = 3 * config.hidden_size + 2 * heads;
  return static_cast<uint64_t>(floats) * static_cast<uint64_t>(tokens) * sizeof(float);
}

}  // namespace

std::unique_ptr<ModelGraph> make_cogvlm2(const ModelSource& source) {
  const ConfigReader json(source.config(), "config.json");
  const DecoderConfig config = read_text(source.config());
  ModelGraph::Parts parts = decoder_parts(config);
  parts.blocks.clear();
  parts.foldable.clear();
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string name = config.prefix + "layers." + std::to_string(i);
    parts.blocks.push_back(std::make_unique<CogBlock>(config, name));
    for (FoldablePair& pair : foldable_of(name)) {
      parts.foldable.push_back(std::move(pair));
    }
  }
  parts.norm =
      std::make_unique<CogNorm>(config.prefix + "norm", config.hidden_size, config.norm_epsilon);
  parts.working_bytes = [config, decoder = parts.working_bytes](int64_t tokens) {
    return decoder(tokens) + sorting_bytes(config, tokens);
  };
  parts.context = [decoder = parts.context](const TextBatch& batch, at::ScalarType dtype) {
    BlockContext context = decoder(batch, dtype);
    read_images(batch, context);
    return context;
  };
  parts.tower =
      cogvlm2_tower(json.section("vision_config"), config.hidden_size, config.intermediate_size);
  parts.image_places = image_places;
  return std::make_unique<ModelGraph>(std::move(parts));
}

}  // namespace oneshot
