#include "engine/models/mllama_cross.h"

#include <ATen/ATen.h>

#include "engine/kernels/kernels.h"
#include "engine/models/vision_layers.h"

namespace oneshot {
namespace {

/// [B, heads, T, head_dim] → as many heads as the query has.
at::Tensor repeat_heads(const at::Tensor& heads, int64_t times) {
  return times > 1 ? heads.repeat_interleave(times, 1) : heads;
}

class MllamaCrossBlock : public Block {
 public:
  MllamaCrossBlock(const DecoderConfig& config, std::string name)
      : config_(config),
        name_(std::move(name)),
        input_norm_(name_ + ".input_layernorm", config.hidden_size, config.norm_epsilon),
        mlp_norm_(name_ + ".post_attention_layernorm", config.hidden_size, config.norm_epsilon),
        query_(from_hidden(".cross_attn.q_proj", config.heads * config.head_dim)),
        key_(from_hidden(".cross_attn.k_proj", config.key_value_heads * config.head_dim)),
        value_(from_hidden(".cross_attn.v_proj", config.key_value_heads * config.head_dim)),
        query_norm_(name_ + ".cross_attn.q_norm", config.head_dim, config.norm_epsilon),
        key_norm_(name_ + ".cross_attn.k_norm", config.head_dim, config.norm_epsilon),
        output_(to_hidden(".cross_attn.o_proj", config.heads * config.head_dim)),
        attention_gate_(name_ + ".cross_attn_attn_gate", {1}),
        gate_(from_hidden(".mlp.gate_proj", config.intermediate_size)),
        up_(from_hidden(".mlp.up_proj", config.intermediate_size)),
        down_(to_hidden(".mlp.down_proj", config.intermediate_size)),
        mlp_gate_(name_ + ".cross_attn_mlp_gate", {1}) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext& context) override {
    if (!context.cross_states.defined()) {
      return hidden;
    }
    const at::Tensor mixed = attention(input_norm_.forward(hidden), context);
    const at::Tensor attended = hidden + at::tanh(attention_gate_.weight) * mixed;
    const at::Tensor inner = mlp(mlp_norm_.forward(attended)) * context.cross_rows;
    return attended + at::tanh(mlp_gate_.weight) * inner;
  }

  std::vector<Module*> modules() override {
    return {&input_norm_,
            &query_,
            &key_,
            &value_,
            &query_norm_,
            &key_norm_,
            &output_,
            &attention_gate_,
            &mlp_norm_,
            &gate_,
            &up_,
            &down_,
            &mlp_gate_};
  }

 private:
  Linear from_hidden(const char* name, int64_t out) const {
    return {name_ + name, config_.hidden_size, out, false};
  }
  Linear to_hidden(const char* name, int64_t in) const {
    return {name_ + name, in, config_.hidden_size, false};
  }

  /// [1, T, heads · head_dim] → [1, T, heads, head_dim].
  at::Tensor split_heads(const at::Tensor& x, int64_t heads) const {
    return x.view({x.size(0), x.size(1), heads, config_.head_dim});
  }

  /// Of the images: [1, key/value heads, S, head_dim] each.
  BlockCache keys_and_values(const BlockContext& context) {
    if (context.cache != nullptr && context.cache->key.defined()) {
      return *context.cache;
    }
    const at::Tensor key = split_heads(key_.forward(context.cross_states), config_.key_value_heads);
    const at::Tensor value =
        split_heads(value_.forward(context.cross_states), config_.key_value_heads);
    const BlockCache made{key_norm_.forward(key).transpose(1, 2), value.transpose(1, 2)};
    if (context.cache != nullptr) {
      *context.cache = made;
    }
    return made;
  }

  at::Tensor attention(const at::Tensor& x, const BlockContext& context) {
    const at::Tensor query =
        query_norm_.forward(split_heads(query_.forward(x), config_.heads)).transpose(1, 2);
    const BlockCache seen = keys_and_values(context);
    const int64_t shared = config_.heads / config_.key_value_heads;
    const at::Tensor& parts = context.cross_mask;
    const at::Tensor mask = parts.repeat_interleave(seen.key.size(2) / parts.size(3), 3);
    const at::Tensor mixed = at::scaled_dot_product_attention(
        query, repeat_heads(seen.key, shared), repeat_heads(seen.value, shared), mask);
    return output_.forward(mixed.transpose(1, 2).reshape({x.size(0), x.size(1), -1}));
  }

  at::Tensor mlp(const at::Tensor& x) {
    return down_.forward(kernels::silu_multiply(gate_.forward(x), up_.forward(x)));
  }

  DecoderConfig config_;
  std::string name_;
  RmsNorm input_norm_, mlp_norm_;
  Linear query_, key_, value_;
  RmsNorm query_norm_, key_norm_;
  Linear output_;
  Parameter attention_gate_;
  Linear gate_, up_, down_;
  Parameter mlp_gate_;
};

}  // namespace

std::unique_ptr<Block> make_mllama_cross_block(const DecoderConfig& config, std::string name) {
  return std::make_unique<MllamaCrossBlock>(config, std::move(name));
}

std::vector<FoldablePair> mllama_cross_foldable(const DecoderConfig& config,
                                                const std::string& block) {
  const std::string attention = block + ".cross_attn.";
  const std::string mlp = block + ".mlp.";
  std::vector<FoldablePair> pairs{
      {block + ".input_layernorm", {attention + "q_proj"}},  // k and v read the images
      {block + ".post_attention_layernorm", {mlp + "gate_proj", mlp + "up_proj"}},
      {mlp + "up_proj", {mlp + "down_proj"}}};
  if (config.heads == config.key_value_heads) {  // else a channel of v feeds several of o
    pairs.push_back({attention + "v_proj", {attention + "o_proj"}});
  }
  return pairs;
}

}  // namespace oneshot
