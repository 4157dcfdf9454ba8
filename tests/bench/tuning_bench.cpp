// One iteration of tuning a block of SmolLM2-135M's shapes (forward pass, gradients of what its
// Linears give, gradients of their weights) against at::mm and at::bmm over the shapes of its
// products, in the same process, dtype and number of threads; and the pieces between the products.
// Prints one JSON object. Ratios by the clock, and by the processor's time, which holds on a busy
// machine too.
//
//   tuning_bench [threads]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <malloc.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "engine/kernels/backward.h"
#include "engine/kernels/processor.h"
#include "engine/models/causal_attention.h"
#include "engine/models/registry.h"
#include "engine/worker_pool.h"

namespace oneshot {
namespace {

constexpr int64_t kSamples = 8, kTokens = 512, kHidden = 576, kInner = 1536, kHeadDim = 64;
constexpr int64_t kHeads = 9, kKeyHeads = 3;
constexpr int kRepeats = 9;

const nlohmann::json kConfig{{"model_type", "llama"},
                             {"hidden_size", kHidden},
                             {"intermediate_size", kInner},
                             {"num_hidden_layers", 1},
                             {"num_attention_heads", kHeads},
                             {"num_key_value_heads", kKeyHeads},
                             {"vocab_size", 49152},
                             {"max_position_embeddings", 8192},
                             {"rms_norm_eps", 1e-5},
                             {"rope_theta", 100000},
                             {"tie_word_embeddings", true}};

struct Seconds {
  double clock, processor;
};

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <typename Work>
Seconds seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  const double processor = processor_seconds();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          processor_seconds() - processor};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

at::Tensor random(at::IntArrayRef shape, at::ScalarType dtype) {
  return at::randn(shape).to(dtype);
}

/// Random weights of the right shapes.
Weights random_weights(at::ScalarType dtype) {
  const auto shape_of = [](const std::string& name) -> std::vector<int64_t> {
    const auto has = [&name](const char* part) { return name.find(part) != std::string::npos; };
    if (has("norm")) {
      return {kHidden};
    }
    const int64_t keys = kKeyHeads * kHeadDim;
    return has("q_proj") || has("o_proj")   ? std::vector<int64_t>{kHidden, kHidden}
           : has("k_proj") || has("v_proj") ? std::vector<int64_t>{keys, kHidden}
           : has("down_proj")               ? std::vector<int64_t>{kHidden, kInner}
                                            : std::vector<int64_t>{kInner, kHidden};
  };
  return {[](const std::string&) { return true; },
          [=](const std::string& name) { return (at::randn(shape_of(name)) * 0.03).to(dtype); }};
}

/// What a Linear took and gave, for one sample.
struct Passed {
  at::Tensor input, output, grad;  // [1, tokens, columns]
};

class Iteration {
 public:
  Iteration(at::ScalarType dtype, int threads)
      : threads_(threads), model_(make_model(kConfig)), passed_(kSamples) {
    block().load(random_weights(dtype));
    context_ = model_->context({at::zeros({1, kTokens}, at::kLong), {}}, dtype);
    for (int64_t i = 0; i < kSamples; ++i) {
      inputs_.push_back(random({1, kTokens, kHidden}, dtype));
      targets_.push_back(random({1, kTokens, kHidden}, dtype));
    }
    for (Module* module : block().modules()) {
      if (module->weight.dim() == 2) {
        module->weight.requires_grad_();
        hooks_.push_back(module->add_hook([this](const HookCall& call) {
          passed_[call.sample].push_back({call.input.detach(), call.output, {}});
        }));
      }
    }
  }

  void run() {
    in_parallel(kSamples, [&](size_t sample) { pass(sample); });
    in_parallel(passed_[0].size(), [&](size_t linear) { weight_gradient(linear); });
  }

  /// The weights' gradients alone, from what the last pass left.
  void run_weights() {
    in_parallel(passed_[0].size(), [&](size_t linear) { weight_gradient(linear); });
  }

 private:
  Block& block() { return model_->block(0); }

  void in_parallel(size_t count, const std::function<void(size_t)>& run) const {
    ParallelWork work;
    work.count = count;
    work.threads = threads_;
    work.start_thread = [] { at::set_num_threads(1); };
    work.run = run;
    run_in_parallel(work);
  }

  /// Forward and back, up to the gradients of what the Linears give.
  void pass(size_t sample) {
    const SampleScope scope(sample);
    std::vector<Passed>& passed = passed_[sample];
    passed.clear();
    const at::Tensor output = block().forward(inputs_[sample], context_);
    const at::Tensor grad = output.detach() - targets_[sample];
    std::vector<at::Tensor> outputs;
    for (Passed& one : passed) {
      outputs.push_back(std::exchange(one.output, {}));
    }
    const auto grads = torch::autograd::grad({output}, outputs, {grad});
    for (size_t i = 0; i < passed.size(); ++i) {
      passed[i].grad = grads[i];
    }
  }

  /// Of all samples, one by one: their rows are in the caches then. Summed in float32.
  void weight_gradient(size_t linear) {
    const at::NoGradGuard no_grad;
    at::Tensor sum;  // [out, in]
    for (int64_t i = 0; i < kSamples; ++i) {
      const Passed& one = passed_[static_cast<size_t>(i)][linear];
      const at::Tensor grad = one.grad[0].t();
      sum = sum.defined() ? at::addmm(sum, grad, one.input[0]) : at::mm(grad, one.input[0]);
    }
  }

  int threads_;
  std::unique_ptr<ModelGraph> model_;
  BlockContext context_;
  std::vector<at::Tensor> inputs_, targets_;
  std::vector<std::vector<Passed>> passed_;  // [samples][linears]
  std::vector<HookHandle> hooks_;
};

/// The products of an iteration: forward, gradients of the inputs of all Linears but q, k and v,
/// gradients of the weights, and those of attention.
class Products {
 public:
  explicit Products(at::ScalarType dtype) {
    const int64_t keys = kKeyHeads * kHeadDim, rows = kSamples * kTokens;
    const std::vector<std::tuple<int64_t, int64_t, bool>> shapes{{kHidden, kHidden, false},
                                                                 {kHidden, keys, false},
                                                                 {kHidden, keys, false},
                                                                 {kHidden, kHidden, true},
                                                                 {kHidden, kInner, true},
                                                                 {kHidden, kInner, true},
                                                                 {kInner, kHidden, true}};
    for (const auto& [in, out, to_input] : shapes) {
      linears_.push_back({random({rows, in}, dtype),
                          random({out, in}, dtype),
                          random({rows, out}, dtype),
                          to_input});
    }
    constexpr int64_t kAtOnce = 128;
    for (int64_t seen = kAtOnce; seen <= kTokens; seen += kAtOnce) {
      const int64_t shared = kAtOnce * kHeads / kKeyHeads;
      heads_.push_back({random({kKeyHeads, shared, kHeadDim}, dtype),
                        random({kKeyHeads, seen, kHeadDim}, dtype),
                        random({kKeyHeads, shared, seen}, dtype)});
    }
  }

  void run_linears() const {
    for (const auto& [input, weight, grad, to_input] : linears_) {
      at::mm(input, weight.t());
      if (to_input) {
        at::mm(grad, weight);
      }
    }
  }

  void run_weights() const {
    for (const auto& [input, weight, grad, to_input] : linears_) {
      at::mm(grad.t(), input);
    }
  }

  void run_attention() const {
    for (int64_t i = 0; i < kSamples; ++i) {
      for (const auto& [rows, keys, scores] : heads_) {
        at::bmm(rows, keys.transpose(1, 2));
        at::bmm(scores, keys);
        at::bmm(rows, keys.transpose(1, 2));
        at::bmm(rows, keys.transpose(1, 2));
        at::bmm(scores.transpose(1, 2), rows);
        at::bmm(scores.transpose(1, 2), rows);
        at::bmm(scores, keys);
      }
    }
  }

 private:
  struct LinearShape {
    at::Tensor input, weight, grad;
    bool to_input;
  };
  struct HeadShape {
    at::Tensor rows, keys, scores;
  };
  std::vector<LinearShape> linears_;
  std::vector<HeadShape> heads_;
};

nlohmann::json measure(at::ScalarType dtype, int threads) {
  Iteration iteration(dtype, threads);
  const Products products(dtype);
  std::vector<double> ours, ratios, processor_ratios, shares[5];
  for (int i = 0; i <= kRepeats; ++i) {
    at::set_num_threads(threads);
    const Seconds linears = seconds([&] { products.run_linears(); });
    const Seconds weights = seconds([&] { products.run_weights(); });
    const Seconds attention = seconds([&] { products.run_attention(); });
    const Seconds all = seconds([&] { iteration.run(); });
    const Seconds own_weights = seconds([&] { iteration.run_weights(); });
    if (i == 0) {
      continue;  // the first one warms up
    }
    const double clock = linears.clock + weights.clock + attention.clock;
    const double processor = linears.processor + weights.processor + attention.processor;
    ours.push_back(all.clock);
    ratios.push_back(clock / all.clock);
    processor_ratios.push_back(processor / all.processor);
    shares[0].push_back(linears.processor);
    shares[1].push_back(weights.processor);
    shares[2].push_back(attention.processor);
    shares[3].push_back(own_weights.processor);
    shares[4].push_back(all.processor);
  }
  return {{"seconds", median(ours)},
          {"ratio", median(ratios)},
          {"processor_ratio", median(processor_ratios)},
          {"processor_milliseconds",
           {{"products_of_linears", 1e3 * median(shares[0])},
            {"products_of_weight_gradients", 1e3 * median(shares[1])},
            {"products_of_attention", 1e3 * median(shares[2])},
            {"own_weight_gradients", 1e3 * median(shares[3])},
            {"own", 1e3 * median(shares[4])}}}};
}

/// Each piece between the products, for all samples, by one thread, in milliseconds.
nlohmann::json measure_pieces(at::ScalarType dtype) {
  at::set_num_threads(1);
  const at::Tensor hidden = random({1, kTokens, kHidden}, dtype), weight = random({kHidden}, dtype);
  const at::Tensor inner = random({1, kTokens, kInner}, dtype), up = random(inner.sizes(), dtype);
  const at::Tensor angle = random({1, kTokens, kHeadDim}, dtype);
  const at::Tensor split = hidden.view({1, kTokens, kHeads, kHeadDim});
  const at::Tensor query = kernels::rotate_heads(split, angle, angle);
  const at::Tensor key = random({1, kKeyHeads, kTokens, kHeadDim}, dtype);
  const at::Tensor value = random(key.sizes(), dtype);
  nlohmann::json result;
  const auto add = [&](const char* name, const auto& work) {
    std::vector<double> all;
    for (int i = 0; i <= 2 * kRepeats; ++i) {
      all.push_back(seconds(work).processor);
    }
    result[name] = 1e3 * kSamples * median(all);
  };
  add("add", [&] { at::add(hidden, hidden); });
  add("norm", [&] { kernels::rms_norm(hidden, weight, 1e-5); });
  add("norm_back", [&] { kernels::rms_norm_backward(hidden, hidden, weight, 1e-5); });
  add("gate", [&] { kernels::silu_multiply(inner, up); });
  add("gate_back", [&] { kernels::silu_multiply_backward(inner, inner, up); });
  add("rotate", [&] { kernels::rotate_heads(split, angle, angle); });
  add("rotate_back", [&] { kernels::rotate_heads_backward(query, angle, angle); });
  add("attention", [&] { causal_attention(query, key, value); });
  const at::Tensor leaf = query.clone().requires_grad_(),
                   attended = causal_attention(leaf, key, value);
  const at::Tensor grad = random(attended.sizes(), dtype);
  add("attention_back",
      [&] { torch::autograd::grad({attended}, {leaf}, {grad}, /*retain_graph=*/true); });
  add("attention_softmax", [&] {
    for (int64_t seen = 128; seen <= kTokens; seen += 128) {
      at::Tensor scores = at::ones({kKeyHeads, 3 * 128, seen}, dtype);
      kernels::causal_softmax(scores, {128, seen - 128, 0.125});
    }
  });
  add("attention_softmax_back", [&] {
    for (int64_t seen = 128; seen <= kTokens; seen += 128) {
      at::Tensor scores = at::ones({kKeyHeads, 3 * 128, seen}, dtype);
      at::Tensor grads = at::ones_like(scores);
      const at::Tensor sums = at::full({kKeyHeads * 3 * 128}, 5.0);
      kernels::causal_softmax_backward(scores, grads, {128, seen - 128, 0.125}, sums);
    }
  });
  return result;
}

}  // namespace
}  // namespace oneshot

int main(int argc, char** argv) {
  mallopt(M_MMAP_THRESHOLD, 64 << 20);  // as the command line does
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  const at::ScalarType dtype =
      oneshot::kernels::has_bfloat16_products() ? at::kBFloat16 : at::kFloat;
  const nlohmann::json result{{"dtype", at::toString(dtype)},
                              {"threads", threads},
                              {"iteration", oneshot::measure(dtype, threads)},
                              {"pieces_milliseconds", oneshot::measure_pieces(dtype)}};
  std::printf("%s\n", result.dump(1).c_str());
}
