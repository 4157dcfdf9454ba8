// Models with a tower of their own.
#include <algorithm>

#include "tests/e2e/true_checkpoint.h"

namespace oneshot {
namespace {

using nlohmann::json;

void add_mllama_tower(TrueCheckpoint& to) {
  constexpr int64_t kWidth = 1280, kPatches = 1601;
  const std::string tower = "vision_model.";
  to.add(tower + "class_embedding", {kWidth});
  to.add(tower + "patch_embedding.weight", {kWidth, 3, 14, 14});
  const std::string positions = tower + "gated_positional_embedding.";
  to.add(positions + "embedding", {kPatches, kWidth});
  to.add(positions + "gate", {1});
  to.add(positions + "tile_embedding.weight", {9, 4 * kPatches * kWidth});
  for (const char* place : {"pre", "post"}) {
    to.add(tower + place + "_tile_positional_embedding.embedding.weight", {9, 4 * kWidth});
    to.add(tower + place + "_tile_positional_embedding.gate", {1});
    to.add_layer_norm(tower + "layernorm_" + place, kWidth);
  }
  for (int64_t i = 0; i < 32 + 8; ++i) {
    const bool global = i >= 32;
    const std::string block = global ? in_list(tower + "global_transformer.layers", i - 32)
                                     : in_list(tower + "transformer.layers", i);
    for (const char* linear : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
      to.add(block + "self_attn." + linear + ".weight", {kWidth, kWidth});
    }
    to.add_with_bias(block + "mlp.fc1", 4 * kWidth, kWidth);
    to.add_with_bias(block + "mlp.fc2", kWidth, 4 * kWidth);
    to.add_layer_norm(block + "input_layernorm", kWidth);
    to.add_layer_norm(block + "post_attention_layernorm", kWidth);
    if (global) {
      to.add(block + "gate_attn", {1});
      to.add(block + "gate_ffn", {1});
    }
  }
}

}  // namespace

TrueCheckpoint true_mllama_11b() {
  const TrueDecoder decoder{4096, 14336, 40, 1024, 128256};
  const json cross_blocks{3, 8, 13, 18, 23, 28, 33, 38};
  TrueCheckpoint made;
  made.config = json::parse(R"({"architectures": ["MllamaForConditionalGeneration"],
    "model_type": "mllama", "image_token_index": 128256, "torch_dtype": "bfloat16",
    "text_config": {"model_type": "mllama_text_model", "vocab_size": 128256, "hidden_size": 4096,
      "intermediate_size": 14336, "num_hidden_layers": 40, "num_attention_heads": 32,
      "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "hidden_act": "silu",
      "max_position_embeddings": 131072, "tie_word_embeddings": false, "bos_token_id": 128000,
      "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}},
    "vision_config": {"model_type": "mllama_vision_model", "hidden_size": 1280,
      "attention_heads": 16, "num_hidden_layers": 32, "num_global_layers": 8,
      "intermediate_size": 5120, "num_channels": 3, "image_size": 560, "patch_size": 14,
      "norm_eps": 1e-05, "max_num_tiles": 4, "hidden_act": "gelu", "vision_output_dim": 7680,
      "intermediate_layers_indices": [3, 7, 15, 23, 30],
      "supported_aspect_ratios":
        [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]]}})");
  made.config["text_config"]["cross_attention_layers"] = cross_blocks;
  made.add("language_model.model.embed_tokens.weight", {decoder.vocabulary + 8, decoder.hidden});
  made.add("language_model.model.norm.weight", {decoder.hidden});
  made.add("language_model.lm_head.weight", {decoder.vocabulary, decoder.hidden});
  for (int64_t i = 0; i < decoder.blocks; ++i) {
    const std::string block = in_list("language_model.model.layers", i);
    const bool cross = std::find(cross_blocks.begin(), cross_blocks.end(), i) != cross_blocks.end();
    made.add_attention(block + (cross ? "cross_attn" : "self_attn"), decoder);
    if (cross) {
      made.add(block + "cross_attn.q_norm.weight", {128});
      made.add(block + "cross_attn.k_norm.weight", {128});
      made.add(block + "cross_attn_attn_gate", {1});
      made.add(block + "cross_attn_mlp_gate", {1});
    }
    made.add_gated_mlp(block + "mlp", decoder.hidden, decoder.wide);
    made.add_block_norms(block, decoder.hidden);
  }
  made.add_with_bias("multi_modal_projector", 4096, 7680);
  add_mllama_tower(made);
  return made;
}

TrueCheckpoint true_qwen2_vl_7b() {
  constexpr int64_t kWidth = 1280, kHidden = 3584;
  const TrueDecoder decoder{kHidden, 18944, 28, 512, 152064};
  TrueCheckpoint made;
  made.config = json::parse(R"({"architectures": ["Qwen2VLForConditionalGeneration"],
    "model_type": "qwen2_vl", "vocab_size": 152064, "hidden_size": 3584,
    "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
    "num_key_value_heads": 4, "rms_norm_eps": 1e-06, "hidden_act": "silu", "rope_theta": 1000000.0,
    "max_position_embeddings": 32768, "use_sliding_window": false, "sliding_window": 32768,
    "max_window_layers": 28, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    "image_token_id": 151655, "video_token_id": 151656, "vision_start_token_id": 151652,
    "vision_end_token_id": 151653, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    "vision_config": {"depth": 32, "embed_dim": 1280, "mlp_ratio": 4, "num_heads": 16,
      "in_chans": 3, "hidden_size": 3584, "patch_size": 14, "spatial_merge_size": 2,
      "spatial_patch_size": 14, "temporal_patch_size": 2}})");
  made.add_llama("model", "lm_head", decoder);
  for (int64_t i = 0; i < decoder.blocks; ++i) {
    const std::string attention = in_list("model.layers", i) + "self_attn.";
    made.add(attention + "q_proj.bias", {kHidden});
    made.add(attention + "k_proj.bias", {decoder.key_value});
    made.add(attention + "v_proj.bias", {decoder.key_value});
  }
  made.add("visual.patch_embed.proj.weight", {kWidth, 3, 2, 14, 14});
  for (int64_t i = 0; i < 32; ++i) {
    const std::string block = in_list("visual.blocks", i);
    made.add_layer_norm(block + "norm1", kWidth);
    made.add_layer_norm(block + "norm2", kWidth);
    made.add_with_bias(block + "attn.qkv", 3 * kWidth, kWidth);
    made.add_with_bias(block + "attn.proj", kWidth, kWidth);
    made.add_with_bias(block + "mlp.fc1", 4 * kWidth, kWidth);
    made.add_with_bias(block + "mlp.fc2", kWidth, 4 * kWidth);
  }
  made.add_layer_norm("visual.merger.ln_q", kWidth);
  made.add_with_bias("visual.merger.mlp.0", 4 * kWidth, 4 * kWidth);
  made.add_with_bias("visual.merger.mlp.2", kHidden, 4 * kWidth);
  return made;
}

TrueCheckpoint true_cogvlm2_19b() {
  constexpr int64_t kHidden = 4096, kWide = 14336, kWidth = 1792, kVisionWide = 15360;
  TrueCheckpoint made;
  made.config = json::parse(R"({"architectures": ["CogVLMForCausalLM"], "vocab_size": 128256,
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_multi_query_heads": 8, "hidden_act": "silu",
    "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "template_version": "chat",
    "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    "vision_config": {"in_channels": 3, "hidden_size": 1792, "patch_size": 14, "image_size": 1344,
      "num_positions": 9217, "num_hidden_layers": 63, "num_heads": 16, "intermediate_size": 15360,
      "hidden_act": "gelu", "layer_norm_eps": 1e-06, "dropout_prob": 0.0}})");
  made.add_ends("model", "lm_head", {kHidden, kWide, 32, 1024, 128256});
  for (int64_t i = 0; i < 32; ++i) {
    const std::string block = in_list("model.layers", i);
    const std::string attention = block + "self_attn.";
    for (const std::string expert : {"language", "vision"}) {
      made.add(attention + expert + "_expert_query_key_value.weight", {6144, kHidden});
      made.add(attention + expert + "_expert_dense.weight", {kHidden, kHidden});
      made.add_gated_mlp(block + "mlp." + expert + "_mlp", kHidden, kWide);
    }
    made.add(attention + "vision_expert_query_key_value.bias", {6144});
    made.add(attention + "rotary_emb.inv_freq", {64});
    made.add_block_norms(block, kHidden);
  }
  const std::string vision = "model.vision.";
  const std::string patches = vision + "patch_embedding.";
  made.add(patches + "proj.weight", {kWidth, 3, 14, 14});
  made.add(patches + "proj.bias", {kWidth});
  made.add(patches + "cls_embedding", {1, kWidth});
  made.add(patches + "position_embedding.weight", {9217, kWidth});
  for (int64_t i = 0; i < 63; ++i) {
    const std::string block = in_list(vision + "transformer.layers", i);
    made.add_with_bias(block + "attention.query_key_value", 3 * kWidth, kWidth);
    made.add_with_bias(block + "attention.dense", kWidth, kWidth);
    made.add_with_bias(block + "mlp.fc1", kVisionWide, kWidth);
    made.add_with_bias(block + "mlp.fc2", kWidth, kVisionWide);
    made.add_layer_norm(block + "input_layernorm", kWidth);
    made.add_layer_norm(block + "post_attention_layernorm", kWidth);
  }
  made.add(vision + "conv.weight", {kWidth, kWidth, 2, 2});
  made.add(vision + "conv.bias", {kWidth});
  const std::string projection = vision + "linear_proj.";
  made.add(projection + "linear_proj.weight", {kHidden, kWidth});
  made.add_layer_norm(projection + "norm1", kHidden);
  made.add(projection + "gate_proj.weight", {kWide, kHidden});
  made.add(projection + "dense_h_to_4h.weight", {kWide, kHidden});
  made.add(projection + "dense_4h_to_h.weight", {kHidden, kWide});
  made.add(vision + "boi", {1, 1, kHidden});
  made.add(vision + "eoi", {1, 1, kHidden});
  return made;
}

}  // namespace oneshot
