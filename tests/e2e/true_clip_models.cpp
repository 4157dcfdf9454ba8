// Models with the tower CLIP ViT-L/14 for 336 pixels.
#include "tests/e2e/true_checkpoint.h"

namespace oneshot {
namespace {

using nlohmann::json;

void add_clip(TrueCheckpoint& to, const std::string& tower) {
  to.add(tower + ".embeddings.class_embedding", {1024});
  to.add(tower + ".embeddings.patch_embedding.weight", {1024, 3, 14, 14});
  to.add(tower + ".embeddings.position_embedding.weight", {577, 1024});
  to.add_layer_norm(tower + ".pre_layrnorm", 1024);
  to.add_layer_norm(tower + ".post_layernorm", 1024);
  for (int64_t i = 0; i < 24; ++i) {
    const std::string block = in_list(tower + ".encoder.layers", i);
    for (const char* linear : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      to.add_with_bias(block + "self_attn." + linear, 1024, 1024);
    }
    to.add_with_bias(block + "mlp.fc1", 4096, 1024);
    to.add_with_bias(block + "mlp.fc2", 1024, 4096);
    to.add_layer_norm(block + "layer_norm1", 1024);
    to.add_layer_norm(block + "layer_norm2", 1024);
  }
}

json clip_config() {
  return {{"model_type", "clip_vision_model"},
          {"hidden_size", 1024},
          {"intermediate_size", 4096},
          {"num_hidden_layers", 24},
          {"image_size", 336},
          {"num_attention_heads", 16},
          {"patch_size", 14},
          {"vocab_size", 32000},
          {"projection_dim", 768}};
}

}  // namespace

TrueCheckpoint true_llava_hf_7b() {
  TrueCheckpoint made;
  made.dtype = Dtype::F16;
  made.config = json::parse(R"({"architectures": ["LlavaForConditionalGeneration"],
    "model_type": "llava", "image_token_index": 32000, "pad_token_id": 32001,
    "torch_dtype": "float16", "projector_hidden_act": "gelu", "vision_feature_layer": -2,
    "vision_feature_select_strategy": "default", "image_seq_length": 576,
    "text_config": {"model_type": "llama", "max_position_embeddings": 4096, "rms_norm_eps": 1e-05,
      "torch_dtype": "float16", "vocab_size": 32064}})");
  made.config["vision_config"] = clip_config();
  made.add_llama("language_model.model", "language_model.lm_head", {4096, 11008, 32, 4096, 32064});
  made.add_with_bias("multi_modal_projector.linear_1", 4096, 1024);
  made.add_with_bias("multi_modal_projector.linear_2", 4096, 4096);
  add_clip(made, "vision_tower.vision_model");
  return made;
}

TrueCheckpoint true_llava_7b() {
  TrueCheckpoint made;
  made.dtype = Dtype::F16;
  made.config = json::parse(R"({"architectures": ["LlavaLlamaForCausalLM"],
    "model_type": "llava", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
    "rms_norm_eps": 1e-05, "hidden_act": "silu", "max_position_embeddings": 4096,
    "tie_word_embeddings": false, "torch_dtype": "float16",
    "mm_vision_tower": "openai/clip-vit-large-patch14-336", "mm_projector_type": "mlp2x_gelu",
    "mm_hidden_size": 1024, "mm_vision_select_layer": -2, "mm_vision_select_feature": "patch",
    "image_aspect_ratio": "pad", "mm_use_im_start_end": false, "mm_use_im_patch_token": false})");
  made.config["_mm_vision_config"] = clip_config();
  made.add_llama("model", "lm_head", {4096, 11008, 32, 4096, 32000});
  made.add_with_bias("model.mm_projector.0", 4096, 1024);
  made.add_with_bias("model.mm_projector.2", 4096, 4096);
  add_clip(made, "model.vision_tower.vision_tower.vision_model");
  return made;
}

TrueCheckpoint true_phi3_v() {
  constexpr int64_t kHidden = 3072, kWide = 8192, kMerged = 4096;
  TrueCheckpoint made;
  made.config = json::parse(R"({"architectures": ["Phi3VForCausalLM"], "model_type": "phi3_v",
    "vocab_size": 32064, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 32, "rms_norm_eps": 1e-05,
    "hidden_act": "silu", "max_position_embeddings": 131072, "sliding_window": 262144,
    "original_max_position_embeddings": 4096, "rope_theta": 10000.0, "torch_dtype": "bfloat16",
    "tie_word_embeddings": false,
    "embd_layer": {"embedding_cls": "image", "hd_transform_order": "sub_glb",
      "projection_cls": "mlp", "use_hd_transform": true, "with_learnable_separator": true},
    "img_processor": {"name": "clip_vision_model", "image_dim_out": 1024, "num_img_tokens": 144,
      "model_name": "openai/clip-vit-large-patch14-336"}})");
  const std::vector<double> factors(48, 1.5);  // of each pair of dimensions; any will do
  made.config["rope_scaling"] = {
      {"type", "su"}, {"short_factor", factors}, {"long_factor", factors}};
  made.add_ends("model", "lm_head", {kHidden, kWide, 32, kHidden, 32064});
  for (int64_t i = 0; i < 32; ++i) {
    const std::string block = in_list("model.layers", i);
    made.add(block + "self_attn.qkv_proj.weight", {3 * kHidden, kHidden});
    made.add(block + "self_attn.o_proj.weight", {kHidden, kHidden});
    made.add(block + "mlp.gate_up_proj.weight", {2 * kWide, kHidden});
    made.add(block + "mlp.down_proj.weight", {kHidden, kWide});
    made.add_block_norms(block, kHidden);
  }
  const std::string vision = "model.vision_embed_tokens.";
  made.add(vision + "glb_GN", {1, 1, kMerged});
  made.add(vision + "sub_GN", {1, 1, 1, kMerged});
  made.add_with_bias(vision + "img_projection.0", kHidden, kMerged);
  made.add_with_bias(vision + "img_projection.2", kHidden, kHidden);
  add_clip(made, vision + "img_processor.vision_model");
  return made;
}

}  // namespace oneshot
