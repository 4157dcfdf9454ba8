// Checkpoints of the true names, shapes and sizes of published models, with nothing in them: sparse
// files, for what is decided from headers alone.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "engine/quant/dtype.h"

namespace oneshot {

/// Sizes of a decoder of the Llama kind.
struct TrueDecoder {
  int64_t hidden, wide, blocks, key_value, vocabulary;
};

struct TrueCheckpoint {
  nlohmann::json config;
  Dtype dtype = Dtype::Bf16;
  std::vector<std::pair<std::string, std::vector<int64_t>>> tensors;

  void add(const std::string& name, std::vector<int64_t> shape);
  /// A weight [out, in], and a bias [out].
  void add_with_bias(const std::string& module, int64_t out, int64_t in);
  /// A weight and a bias [size].
  void add_layer_norm(const std::string& module, int64_t size);
  void add_gated_mlp(const std::string& mlp, int64_t hidden, int64_t wide);
  void add_attention(const std::string& attention, const TrueDecoder& decoder);
  /// block: with its dot.
  void add_block_norms(const std::string& block, int64_t hidden);
  /// Embedding, last norm, head.
  void add_ends(const std::string& model, const std::string& head, const TrueDecoder& decoder);
  /// Ends and blocks.
  void add_llama(const std::string& model, const std::string& head, const TrueDecoder& decoder);

  uint64_t values() const;  // of all tensors
};

/// "list.3."
std::string in_list(const std::string& list, int64_t index);

TrueCheckpoint true_mllama_11b();   // Llama-3.2-11B-Vision-Instruct
TrueCheckpoint true_llava_hf_7b();  // llava-1.5-7b-hf
TrueCheckpoint true_llava_7b();     // llava-v1.5-7b in its own layout, with the tower inside
TrueCheckpoint true_qwen2_vl_7b();  // Qwen2-VL-7B-Instruct
TrueCheckpoint true_phi3_v();       // Phi-3.5-vision-instruct
TrueCheckpoint true_cogvlm2_19b();  // cogvlm2-llama3-chat-19B

/// config.json and one sparse model.safetensors of the true length.
void write_sparse(const TrueCheckpoint& checkpoint, const std::filesystem::path& folder);

}  // namespace oneshot
