#include "engine/models/decoder.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "engine/kernels/kernels.h"

namespace oneshot {
namespace {

/// Largest negative number of a dtype: what masked scores are set to.
double lowest(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBFloat16:
      return std::numeric_limits<c10::BFloat16>::lowest();
    case at::kHalf:
      return std::numeric_limits<c10::Half>::lowest();
    default:
      return std::numeric_limits<float>::lowest();
  }
}

/// Additive mask [B or 1, 1, T, T]: 0 where a token may look, else the lowest number.
at::Tensor additive_mask(const TextBatch& batch, int64_t window, at::ScalarType dtype) {
  const int64_t length = batch.ids.size(1);
  const at::Tensor position = at::arange(length, at::kLong);
  const at::Tensor distance = position.unsqueeze(1) - position.unsqueeze(0);  // [T, T], query − key
  at::Tensor allowed = distance >= 0;
  if (window > 0) {
    allowed = allowed.logical_and(distance < window);
  }
  allowed = allowed.view({1, 1, length, length});
  if (batch.mask.defined()) {
    allowed =
        allowed.logical_and(batch.mask.to(at::kBool).view({batch.mask.size(0), 1, 1, length}));
  }
  return at::zeros(allowed.sizes(), dtype).masked_fill(allowed.logical_not(), lowest(dtype));
}

/// Attention step by step. The fused kernels of LibTorch lose the gradient of rows that are masked
/// whole (left padding): lowest + log(T) is lowest again.
at::Tensor masked_attention(const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value,
                            const at::Tensor& mask) {
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(-1)));
  const at::Tensor scores = at::matmul(query, key.transpose(-1, -2)) * scale + mask;
  return at::matmul(at::softmax(scores, -1, at::kFloat).to(value.scalar_type()), value);
}

class DecoderBlock : public Block {
 public:
  DecoderBlock(const DecoderConfig& config, std::string name, bool windowed)
      : config_(config),
        name_(std::move(name)),
        windowed_(windowed),
        input_norm_(name_ + ".input_layernorm", config.norm_epsilon),
        mlp_norm_(name_ + ".post_attention_layernorm", config.norm_epsilon),
        query_(name_ + ".self_attn.q_proj", config.query_bias),
        key_(name_ + ".self_attn.k_proj", config.query_bias),
        value_(name_ + ".self_attn.v_proj", config.query_bias),
        fused_query_(name_ + ".self_attn.qkv_proj", config.query_bias),
        query_norm_(name_ + ".self_attn.q_norm", config.norm_epsilon),
        key_norm_(name_ + ".self_attn.k_norm", config.norm_epsilon),
        key_state_(name_ + ".self_attn.k"),
        value_state_(name_ + ".self_attn.v"),
        output_(name_ + ".self_attn.o_proj", config.output_bias),
        gate_(name_ + ".mlp.gate_proj", config.mlp_bias),
        up_(name_ + ".mlp.up_proj", config.mlp_bias),
        fused_gate_(name_ + ".mlp.gate_up_proj", config.mlp_bias),
        down_(name_ + ".mlp.down_proj", config.mlp_bias) {}

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
  struct Projections {
    at::Tensor query, key, value;  // [B, T, heads · head_dim]
  };

  Projections project(const at::Tensor& x) {
    if (!config_.fused_linears) {
      return {query_.forward(x), key_.forward(x), value_.forward(x)};
    }
    const int64_t query = config_.heads * config_.head_dim;
    const int64_t key = config_.key_value_heads * config_.head_dim;
    const std::vector<at::Tensor> parts =
        fused_query_.forward(x).split_with_sizes({query, key, key}, -1);
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
    const int64_t shared = config_.heads / config_.key_value_heads;
    if (shared > 1) {
      key = key.repeat_interleave(shared, 1);
      value = value.repeat_interleave(shared, 1);
    }
    const bool own_window = windowed_ && context.windowed_mask.defined();
    const at::Tensor& mask = own_window ? context.windowed_mask : context.mask;
    const at::Tensor mixed = mask.defined() ? masked_attention(query, key, value, mask)
                                            : at::scaled_dot_product_attention(
                                                  query, key, value, std::nullopt, 0.0, true);
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
  const RopeTables tables = rope_tables(config.rope, length);
  BlockContext context;
  context.cosine = tables.cosine.to(dtype);
  context.sine = tables.sine.to(dtype);
  TextBatch masked = batch;
  if (masked.mask.defined() && masked.mask.ne(0).all().item<bool>()) {
    masked.mask = at::Tensor();
  }
  if (masked.mask.defined()) {
    context.mask = additive_mask(masked, 0, dtype);
  }
  if (config.window > 0 && length > config.window) {
    context.windowed_mask = additive_mask(masked, config.window, dtype);
  }
  return context;
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

std::unique_ptr<ModelGraph> make_decoder(const DecoderConfig& config) {
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
  parts.norm = std::make_unique<RmsNorm>(config.prefix + "norm", config.norm_epsilon);
  if (!config.tied_head) {
    parts.head = std::make_unique<Linear>(config.head, false);
  }
  parts.context = [config](const TextBatch& batch, at::ScalarType dtype) {
    return make_context(config, batch, dtype);
  };
  return std::make_unique<ModelGraph>(std::move(parts));
}

}  // namespace oneshot
