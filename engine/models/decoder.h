// Decoders of the Llama kind: what the families differ in is a table of settings, so that a new one
// is a short file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/graph/model_graph.h"
#include "engine/models/rope.h"

namespace oneshot {

struct DecoderConfig {
  int64_t hidden_size = 0, intermediate_size = 0, layers = 0, vocabulary_size = 0;
  int64_t heads = 0, key_value_heads = 0, head_dim = 0;
  double norm_epsilon = 1e-6;
  RopeConfig rope;
  bool query_bias = false;   // on q, k, v
  bool output_bias = false;  // on o
  bool mlp_bias = false;
  bool head_norms = false;     // RMS norms of q and k over each head (Qwen3)
  bool fused_linears = false;  // qkv_proj and gate_up_proj (Phi-3)
  int64_t window = 0;          // of windowed layers, in tokens; 0: none
  std::vector<bool> windowed;  // by layer; empty: none
  bool tied_head = false;
  std::string prefix = "model.";  // of embedding, layers and norm in the checkpoint
  std::string head = "lm_head";
};

/// What all families read alike. Biases, norms and windows are left to them.
/// throws Checkpoint for missing or impossible values, Unsupported for another activation than
/// silu.
DecoderConfig read_decoder(const nlohmann::json& config,
                           double default_epsilon,
                           double default_theta);

/// Every layer is windowed, when the config has a window.
void window_all_layers(const nlohmann::json& config, DecoderConfig& decoder);

/// The window keys of Qwen2 and Qwen3: use_sliding_window, layer_types, max_window_layers.
void read_qwen_windows(const nlohmann::json& config, DecoderConfig& decoder);

/// Phi-3, whose q, k, v and gate, up are one Linear each.
DecoderConfig read_phi3(const nlohmann::json& config);

/// The parts of a graph that read text, for families that add to them.
ModelGraph::Parts decoder_parts(const DecoderConfig& config);
std::unique_ptr<ModelGraph> make_decoder(const DecoderConfig& config);

}  // namespace oneshot
