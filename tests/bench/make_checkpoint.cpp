// Writes a checkpoint with the shapes of Llama-3.1-8B's layers, as many as fill the size asked for,
// with weights that are spread as real ones are. Used by scripts/bench.py.
//   make_checkpoint FOLDER GIBIBYTES [ROWS_OF_A_WIDE_MATRIX]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/checkpoint/output_layout.h"
#include "engine/checkpoint/shard_writer.h"
#include "engine/checkpoint/small_file.h"
#include "engine/error.h"

namespace oneshot {
namespace {

constexpr int64_t kHidden = 4096;
constexpr int64_t kWide = 14336;
constexpr int64_t kKeyValue = 1024;

/// 1 MiB of bfloat16 between about ±0.002 and ±0.06, of a fixed pseudo-random sequence.
std::vector<uint16_t> random_values() {
  std::vector<uint16_t> values(512 << 10);
  uint64_t state = 0x9E3779B97F4A7C15;
  for (uint16_t& value : values) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const auto mantissa_and_sign = static_cast<uint16_t>(state & 0x807F);
    const auto exponent = static_cast<uint16_t>(118 + (state >> 20) % 5);
    value = static_cast<uint16_t>(mantissa_and_sign | exponent << 7);
  }
  return values;
}

std::vector<TensorSpec> layer(int index) {
  const std::string prefix = "model.layers." + std::to_string(index) + ".";
  const auto linear = [&](const char* name, int64_t out, int64_t in) {
    return TensorSpec{prefix + name + ".weight", Dtype::Bf16, {out, in}};
  };
  return {linear("self_attn.q_proj", kHidden, kHidden),
          linear("self_attn.k_proj", kKeyValue, kHidden),
          linear("self_attn.v_proj", kKeyValue, kHidden),
          linear("self_attn.o_proj", kHidden, kHidden),
          linear("mlp.gate_proj", kWide, kHidden),
          linear("mlp.up_proj", kWide, kHidden),
          linear("mlp.down_proj", kHidden, kWide),
          TensorSpec{prefix + "input_layernorm.weight", Dtype::Bf16, {kHidden}},
          TensorSpec{prefix + "post_attention_layernorm.weight", Dtype::Bf16, {kHidden}}};
}

void write_tensor(ShardWriter& writer,
                  const OutputTensor& tensor,
                  const std::vector<uint16_t>& values,
                  size_t shift) {
  const auto bytes = std::as_bytes(std::span(values));
  const uint64_t total = tensor.spec.bytes();
  for (uint64_t done = 0; done < total;) {
    const size_t begin = 2 * ((shift + done / 7) % 4096);  // no two pieces are alike
    const uint64_t count = std::min<uint64_t>(bytes.size() - begin, total - done);
    writer.write(tensor, done, bytes.subspan(begin, count));
    done += count;
  }
}

/// It can be run too, with any tokenizer of fewer tokens.
std::string config_text(int layers) {
  return R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096,
 "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 16000,
 "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "rope_theta": 500000.0,
 "tie_word_embeddings": true, "num_hidden_layers": )" +
         std::to_string(layers) + "}\n";
}

void make(const std::filesystem::path& folder, double gibibytes, int64_t wide_rows) {
  std::vector<TensorSpec> specs;
  uint64_t bytes = 0;
  const auto add = [&](TensorSpec spec) {
    bytes += spec.bytes();
    specs.push_back(std::move(spec));
  };
  add({"model.embed_tokens.weight", Dtype::Bf16, {16000, kHidden}});
  if (wide_rows > 0) {
    add({"model.wide_proj.weight", Dtype::Bf16, {wide_rows, kHidden}});
  }
  const auto wanted = static_cast<uint64_t>(gibibytes * (1ULL << 30));
  int layers = 0;
  for (; bytes < wanted; ++layers) {
    for (TensorSpec& spec : layer(layers)) {
      add(std::move(spec));
    }
  }
  add({"model.norm.weight", Dtype::Bf16, {kHidden}});
  std::filesystem::create_directories(folder);
  const OutputLayout layout(specs, 2'000'000'000);
  ShardWriter writer(folder, layout);
  const std::vector<uint16_t> values = random_values();
  size_t shift = 0;
  for (const OutputTensor& tensor : layout.tensors()) {
    write_tensor(writer, tensor, values, ++shift * 37);
  }
  writer.finish();
  if (const auto index = layout.index_json()) {
    write_small_file(folder / "model.safetensors.index.json", *index);
  }
  write_small_file(folder / "config.json", config_text(layers));
}

}  // namespace
}  // namespace oneshot

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "make_checkpoint FOLDER GIBIBYTES [ROWS_OF_A_WIDE_MATRIX]\n");
    return 2;
  }
  try {
    oneshot::make(argv[1], std::atof(argv[2]), argc > 3 ? std::atoll(argv[3]) : 0);
  } catch (const oneshot::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
  return 0;
}
