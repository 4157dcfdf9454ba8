#include "tests/e2e/true_checkpoint.h"

#include "engine/checkpoint/safetensors.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {

std::string in_list(const std::string& list, int64_t index) {
  return list + "." + std::to_string(index) + ".";
}

void TrueCheckpoint::add(const std::string& name, std::vector<int64_t> shape) {
  tensors.emplace_back(name, std::move(shape));
}

void TrueCheckpoint::add_with_bias(const std::string& module, int64_t out, int64_t in) {
  add(module + ".weight", {out, in});
  add(module + ".bias", {out});
}

void TrueCheckpoint::add_layer_norm(const std::string& module, int64_t size) {
  add(module + ".weight", {size});
  add(module + ".bias", {size});
}

void TrueCheckpoint::add_gated_mlp(const std::string& mlp, int64_t hidden, int64_t wide) {
  add(mlp + ".gate_proj.weight", {wide, hidden});
  add(mlp + ".up_proj.weight", {wide, hidden});
  add(mlp + ".down_proj.weight", {hidden, wide});
}

void TrueCheckpoint::add_attention(const std::string& attention, const TrueDecoder& decoder) {
  add(attention + ".q_proj.weight", {decoder.hidden, decoder.hidden});
  add(attention + ".k_proj.weight", {decoder.key_value, decoder.hidden});
  add(attention + ".v_proj.weight", {decoder.key_value, decoder.hidden});
  add(attention + ".o_proj.weight", {decoder.hidden, decoder.hidden});
}

void TrueCheckpoint::add_block_norms(const std::string& block, int64_t hidden) {
  add(block + "input_layernorm.weight", {hidden});
  add(block + "post_attention_layernorm.weight", {hidden});
}

void TrueCheckpoint::add_ends(const std::string& model,
                              const std::string& head,
                              const TrueDecoder& decoder) {
  add(model + ".embed_tokens.weight", {decoder.vocabulary, decoder.hidden});
  add(model + ".norm.weight", {decoder.hidden});
  add(head + ".weight", {decoder.vocabulary, decoder.hidden});
}

void TrueCheckpoint::add_llama(const std::string& model,
                               const std::string& head,
                               const TrueDecoder& decoder) {
  add_ends(model, head, decoder);
  for (int64_t i = 0; i < decoder.blocks; ++i) {
    const std::string block = in_list(model + ".layers", i);
    add_attention(block + "self_attn", decoder);
    add_gated_mlp(block + "mlp", decoder.hidden, decoder.wide);
    add_block_norms(block, decoder.hidden);
  }
}

uint64_t TrueCheckpoint::values() const {
  uint64_t total = 0;
  for (const auto& [name, shape] : tensors) {
    total += *tensor_bytes(Dtype::I8, shape);
  }
  return total;
}

void write_sparse(const TrueCheckpoint& checkpoint, const std::filesystem::path& folder) {
  std::vector<TensorInfo> infos;
  uint64_t begin = 0;
  for (const auto& [name, shape] : checkpoint.tensors) {
    const uint64_t bytes = *tensor_bytes(checkpoint.dtype, shape);
    infos.push_back({name, checkpoint.dtype, shape, begin, bytes});
    begin += bytes;
  }
  const std::string header = serialize_safetensors_header(infos);
  const std::filesystem::path weights = folder / "model.safetensors";
  write_file(weights, header);
  std::filesystem::resize_file(weights, header.size() + begin);
  write_file(folder / "config.json", checkpoint.config.dump(1));
}

}  // namespace oneshot
