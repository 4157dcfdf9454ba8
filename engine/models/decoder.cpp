#include "engine/models/decoder.h"

#include <ATen/ATen.h>

#include "engine/kernels/kernels.h"
#include "engine/models/attention.h"

namespace oneshot {
namespace {

class DecoderBlock : public Block {
 public:
  DecoderBlock(const DecoderConfig& config, std::string name, bool windowed)
      : config_(config),
        name_(std::move(name)),
        windowed_(windowed),
        input_norm_(name_ + ".input_layernorm", config.hidden_size, config.norm_epsilon),
        mlp_norm_(name_ + ".post_attention_layernorm", config.hidden_size, config.norm_epsilon),
        query_(from_hidden(".self_attn.q_proj", query_size(), config.query_bias)),
        key_(from_hidden(".self_attn.k_proj", key_size(), config.query_bias)),
        value_(from_hidden(".self_attn.v_proj", key_size(), config.query_bias)),
        fused_query_(
            from_hidden(".self_attn.qkv_proj", query_size() + 2 * key_size(), config.query_bias)),
        query_norm_(name_ + ".self_attn.q_norm", config.head_dim, config.norm_epsilon),
        key_norm_(name_ + ".self_attn.k_norm", config.head_dim, config.norm_epsilon),
        key_state_(name_ + ".self_attn.k"),
        value_state_(name_ + ".self_attn.v"),
        output_(to_hidden(".self_attn.o_proj", query_size(), config.output_bias)),
        gate_(from_hidden(".mlp.gate_proj", config.intermediate_size, config.mlp_bias)),
        up_(from_hidden(".mlp.up_proj", config.intermediate_size, config.mlp_bias)),
        fused_gate_(
            from_hidden(".mlp.gate_up_proj", 2 * config.intermediate_size, config.mlp_bias)),
        down_(to_hidden(".mlp.down_proj", config.intermediate_size, config.mlp_bias)) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext& context) override {
    const at::Tensor attended = hidden + attention(input_norm_.forward(hidden), context);
    return attended + mlp(mlp_norm_.forward(attended));
  }

  std::vector<Module*> modules() override {
    std::vector<Module*> modules{&input_norm_};
    if (config_.fused_linears) {
      modules.push_back(&fused_query_);
    } else {
      modules.insert(modules.end(), {&query_, &key_, &value_});
    }
    if (config_.head_norms) {
      modules.insert(modules.end(), {&query_norm_, &key_norm_});
    }
    modules.insert(modules.end(), {&output_, &mlp_norm_});
    if (config_.fused_linears) {
      modules.push_back(&fused_gate_);
    } else {
      modules.insert(modules.end(), {&gate_, &up_});
    }
    modules.push_back(&down_);
    return modules;
  }

  CacheStates cache_states() override { return {name_ + ".self_attn", &key_state_, &value_state_}; }

 private:
  int64_t query_size() const { return config_.heads * config_.head_dim; }
  int64_t key_size() const { return config_.key_value_heads * config_.head_dim; }

  Linear from_hidden(const char* name, int64_t out, bool bias) const {
    return {name_ + name, config_.hidden_size, out, bias};
  }
  Linear to_hidden(const char* name, int64_t in, bool bias) const {
    return {name_ + name, in, config_.hidden_size, bias};
  }

  struct Projections {
    at::Tensor query, key, value;  // [B, T, heads · head_dim]
  };

  Projections project(const at::Tensor& x) {
    if (!config_.fused_linears) {
      return {query_.forward(x), key_.forward(x), value_.forward(x)};
    }
    const std::vector<at::Tensor> parts =
        fused_query_.forward(x).split_with_sizes({query_size(), key_size(), key_size()}, -1);
    return {parts[0], parts[1], parts[2]};
  }

  /// [B, T, heads · head_dim] → [B, T, heads, head_dim].
  at::Tensor split_heads(const at::Tensor& x, int64_t heads) const {
    return x.view({x.size(0), x.size(1), heads, config_.head_dim});
  }

  /// [B, T, heads · head_dim] → [B, heads, T, head_dim], normed where the family does, and rotated.
  at::Tensor rotated_heads(const at::Tensor& x,
                           int64_t heads,
                           RmsNorm& norm,
                           const BlockContext& context) const {
    const at::Tensor split = split_heads(x, heads);
    return kernels::rotate_heads(
        config_.head_norms ? norm.forward(split) : split, context.cosine, context.sine);
  }

  at::Tensor attention(const at::Tensor& x, const BlockContext& context) {
    const Projections projected = project(x);
    const at::Tensor query = rotated_heads(projected.query, config_.heads, query_norm_, context);
    at::Tensor key = key_state_.forward(
        rotated_heads(projected.key, config_.key_value_heads, key_norm_, context));
    at::Tensor value =
        value_state_.forward(split_heads(projected.value, config_.key_value_heads).transpose(1, 2));
    if (context.cache != nullptr) {
      remember(*context.cache, key, value);
    }
    const bool own_window = windowed_ && context.windowed_mask.defined();
    const at::Tensor mixed =
        attend(query, key, value, own_window ? context.windowed_mask : context.mask);
    return output_.forward(mixed.transpose(1, 2).reshape({x.size(0), x.size(1), -1}));
  }

  at::Tensor mlp(const at::Tensor& x) {
    if (config_.fused_linears) {
      const std::vector<at::Tensor> parts = fused_gate_.forward(x).chunk(2, -1);
      return down_.forward(kernels::silu_multiply(parts[0], parts[1]));
    }
    return down_.forward(kernels::silu_multiply(gate_.forward(x), up_.forward(x)));
  }

  DecoderConfig config_;
  std::string name_;
  bool windowed_;
  RmsNorm input_norm_, mlp_norm_;
  Linear query_, key_, value_, fused_query_;
  RmsNorm query_norm_, key_norm_;
  Identity key_state_, value_state_;
  Linear output_, gate_, up_, fused_gate_, down_;
};

BlockContext make_context(const DecoderConfig& config,
                          const TextBatch& batch,
                          at::ScalarType dtype) {
  const int64_t length = batch.ids.size(1);
  const int64_t seen = batch.first + length;
  const RopeTables tables = rope_tables(config.rope, batch.first, length);
  BlockContext context;
  context.cosine = tables.cosine.to(dtype);
  context.sine = tables.sine.to(dtype);
  TextBatch masked = batch;
  if (masked.mask.defined() && masked.mask.ne(0).all().item<bool>()) {
    masked.mask = at::Tensor();
  }
  if (masked.mask.defined() || (batch.first > 0 && length > 1)) {
    context.mask = attention_mask(masked, 0, dtype);
  }
  if (config.window > 0 && seen > config.window) {
    context.windowed_mask = attention_mask(masked, config.window, dtype);
  }
  return context;
}

/// Hidden states, heads before and after their rotation, and the inner values of the MLP; scores,
/// where a window needs them one by one.
uint64_t working_bytes(const DecoderConfig& config, int64_t tokens) {
  const int64_t heads = (config.heads + 2 * config.key_value_heads) * config.head_dim;
  int64_t floats = 6 * config.hidden_size + 5 * heads + 4 * config.intermediate_size;
  if (config.window > 0 && tokens > config.window) {
    floats += 3 * config.heads * tokens;
  }
  return static_cast<uint64_t>(floats) * static_cast<uint64_t>(tokens) * sizeof(float);
}

std::vector<FoldablePair> foldable_of(const DecoderConfig& config, const std::string& block) {
  const std::string attention = block + ".self_attn.";
  const std::string mlp = block + ".mlp.";
  if (config.fused_linears) {
    return {{block + ".input_layernorm", {attention + "qkv_proj"}},
            {block + ".post_attention_layernorm", {mlp + "gate_up_proj"}}};
  }
  std::vector<FoldablePair> pairs{
      {block + ".input_layernorm",
       {attention + "q_proj", attention + "k_proj", attention + "v_proj"}},
      {block + ".post_attention_layernorm", {mlp + "gate_proj", mlp + "up_proj"}},
      {mlp + "up_proj", {mlp + "down_proj"}}};
  if (config.heads == config.key_value_heads) {  // else a channel of v feeds several of o
    pairs.push_back({attention + "v_proj", {attention + "o_proj"}});
  }
  return pairs;
}

}  // namespace

ModelGraph::Parts decoder_parts(const DecoderConfig& config) {
  ModelGraph::Parts parts;
  parts.embedding = config.prefix + "embed_tokens";
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string name = config.prefix + "layers." + std::to_string(i);
    const bool windowed = !config.windowed.empty() && config.windowed[static_cast<size_t>(i)];
    parts.blocks.push_back(std::make_unique<DecoderBlock>(config, name, windowed));
    for (FoldablePair& pair : foldable_of(config, name)) {
      parts.foldable.push_back(std::move(pair));
    }
  }
  parts.norm =
      std::make_unique<RmsNorm>(config.prefix + "norm", config.hidden_size, config.norm_epsilon);
  if (!config.tied_head) {
    parts.head =
        std::make_unique<Linear>(config.head, config.hidden_size, config.vocabulary_size, false);
  }
  parts.sizes = {config.hidden_size,
                 config.vocabulary_size,
                 longest_text(config.rope),
                 starts_over_after(config.rope)};
  parts.working_bytes = [config](int64_t tokens) { return working_bytes(config, tokens); };
  parts.context = [config](const TextBatch& batch, at::ScalarType dtype) {
    return make_context(config, batch, dtype);
  };
  return parts;
}

std::unique_ptr<ModelGraph> make_decoder(const DecoderConfig& config) {
  return std::make_unique<ModelGraph>(decoder_parts(config));
}

}  // namespace oneshot
