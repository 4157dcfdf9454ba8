// The forward pass of a model of SmolLM2-135M's shapes against at::mm over the shapes of its
// blocks, in the same process, dtype and number of threads; and tokens one by one, against reading
// their weights. Prints one JSON object.
//
//   forward_bench [threads]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/graph/parallel_forward.h"
#include "engine/kernels/processor.h"
#include "engine/models/registry.h"

namespace oneshot {
namespace {

constexpr int64_t kSamples = 8, kTokens = 512;
constexpr int kRepeats = 5;

const nlohmann::json kConfig{{"model_type", "llama"},
                             {"hidden_size", 576},
                             {"intermediate_size", 1536},
                             {"num_hidden_layers", 30},
                             {"num_attention_heads", 9},
                             {"num_key_value_heads", 3},
                             {"vocab_size", 49152},
                             {"max_position_embeddings", 8192},
                             {"rms_norm_eps", 1e-5},
                             {"rope_theta", 100000},
                             {"tie_word_embeddings", true}};

template <typename Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Random weights of the right shapes, the same for every layer.
Weights random_weights(at::ScalarType dtype) {
  const auto shape_of = [](const std::string& name) -> std::vector<int64_t> {
    const auto has = [&name](const char* part) { return name.find(part) != std::string::npos; };
    if (has("norm")) {
      return {576};
    }
    return has("q_proj") || has("o_proj")   ? std::vector<int64_t>{576, 576}
           : has("k_proj") || has("v_proj") ? std::vector<int64_t>{192, 576}
           : has("down_proj")               ? std::vector<int64_t>{576, 1536}
                                            : std::vector<int64_t>{1536, 576};
  };
  return {[](const std::string&) { return true; },
          [=](const std::string& name) { return (at::randn(shape_of(name)) * 0.03).to(dtype); }};
}

/// at::mm over the shapes of all blocks, with ATen's own threads.
double products_seconds(at::ScalarType dtype, int threads, int64_t layers) {
  at::set_num_threads(threads);
  const int64_t rows = kSamples * kTokens;
  const std::vector<std::pair<int64_t, int64_t>> shapes{
      {576, 576}, {576, 192}, {576, 192}, {576, 576}, {576, 1536}, {576, 1536}, {1536, 576}};
  std::vector<std::pair<at::Tensor, at::Tensor>> factors;
  for (const auto& [in, out] : shapes) {
    factors.emplace_back(at::randn({rows, in}).to(dtype), at::randn({out, in}).to(dtype));
  }
  return seconds([&] {
    for (int64_t layer = 0; layer < layers; ++layer) {
      for (const auto& [input, weight] : factors) {
        at::mm(input, weight.t());
      }
    }
  });
}

double forward_seconds(ModelGraph& model, const at::Tensor& input, int threads) {
  std::vector<at::Tensor> states;
  for (int64_t i = 0; i < kSamples; ++i) {
    states.push_back(input.narrow(0, i, 1).contiguous());
  }
  const at::Tensor ids = at::zeros({1, kTokens}, at::kLong);
  const BlockContext context = model.context({ids, {}}, input.scalar_type());
  return seconds([&] {
    for (size_t b = 0; b < model.block_count(); ++b) {
      parallel_forward({.count = states.size(), .threads = threads},
                       [&](size_t i) { states[i] = model.block(b).forward(states[i], context); });
    }
  });
}

/// Tokens one by one, by one thread, all weights in memory; and the share of the time that reading
/// the weights takes.
nlohmann::json measure_decoding(at::ScalarType dtype) {
  const c10::InferenceMode inference;
  at::set_num_threads(1);
  const auto model = make_model(kConfig);
  const Weights weights = random_weights(dtype);
  std::vector<at::Tensor> all;
  for (size_t b = 0; b < model->block_count(); ++b) {
    model->block(b).load(weights);
    for (Module* module : model->block(b).modules()) {
      all.push_back(module->weight);
    }
  }
  constexpr int64_t kDecoded = 32;
  TextCache cache;
  cache.blocks.resize(model->block_count());
  const auto decode = [&] {
    const at::Tensor ids = at::zeros({1, 1}, at::kLong);
    BlockContext context = model->context({ids, {}, cache.tokens}, dtype);
    at::Tensor hidden = at::ones({1, 1, 576}, dtype);
    for (size_t b = 0; b < model->block_count(); ++b) {
      context.cache = &cache.blocks[b];
      hidden = model->block(b).forward(hidden, context);
    }
    ++cache.tokens;
  };
  const auto read = [&] {
    for (const at::Tensor& weight : all) {
      at::sum(weight);
    }
  };
  std::vector<double> decoding, reading;
  for (int i = 0; i <= kRepeats; ++i) {
    const double decoded = seconds([&] {
      for (int64_t t = 0; t < kDecoded; ++t) {
        decode();
      }
    });
    const double once = seconds(read);
    if (i > 0) {
      decoding.push_back(decoded / kDecoded);
      reading.push_back(once);
    }
  }
  return {{"tokens_per_second", 1 / median(decoding)},
          {"bandwidth_share", median(reading) / median(decoding)}};
}

nlohmann::json measure(at::ScalarType dtype, int threads) {
  const c10::InferenceMode inference;
  const auto model = make_model(kConfig);
  const Weights weights = random_weights(dtype);
  for (size_t b = 0; b < model->block_count(); ++b) {
    model->block(b).load(weights);
  }
  const auto layers = static_cast<int64_t>(model->block_count());
  const at::Tensor input = at::randn({kSamples, kTokens, 576}).to(dtype);
  std::vector<double> ours, products, ratios;
  for (int i = 0; i <= kRepeats; ++i) {
    const double product = products_seconds(dtype, threads, layers);
    const double forward = forward_seconds(*model, input, threads);
    if (i > 0) {  // the first one warms up
      products.push_back(product);
      ours.push_back(forward);
      ratios.push_back(product / forward);
    }
  }
  return {{"tokens_per_second", kSamples * kTokens / median(ours)},
          {"products_tokens_per_second", kSamples * kTokens / median(products)},
          {"ratio", median(ratios)}};
}

}  // namespace
}  // namespace oneshot

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  nlohmann::json result{{"threads", threads},
                        {"float32", oneshot::measure(at::kFloat, threads)},
                        {"decoding", oneshot::measure_decoding(at::kFloat)}};
  if (oneshot::kernels::has_bfloat16_products()) {
    result["bfloat16"] = oneshot::measure(at::kBFloat16, threads);
  }
  std::printf("%s\n", result.dump().c_str());
}
