// One iteration of SignRound's tuning of a block of SmolLM2-135M's shapes (all of it: the passes,
// the gradients of weights, the step, the next rounding) against at::mm and at::bmm over the shapes
// of its products, in the same process, dtype and number of threads; and the pieces between the
// products.
// Prints one JSON object. Ratios by the clock, and by the processor's time, which holds on a busy
// machine too.
//
//   tuning_bench [threads]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
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
#include "modifiers/sign_round/block_tuner.h"

namespace oneshot {
namespace {

constexpr int64_t kSamples = 8, kTokens = 512, kHidden = 576, kInner = 1536, kHeadDim = 64;
constexpr int64_t kHeads = 9, kKeyHeads = 3;
constexpr int kRepeats = 5;
constexpr int64_t kIterations = 5;  // that a repeat looks at

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

Seconds now() {
  const auto clock = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration<double>(clock).count(), processor_seconds()};
}

template <typename Work>
Seconds seconds(const Work& work) {
  const Seconds start = now();
  work();
  const Seconds end = now();
  return {end.clock - start.clock, end.processor - start.processor};
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

/// Random inputs and targets, which the command line would have in its cache.
class RandomSamples : public BlockSamples {
 public:
  RandomSamples(ModelGraph& model, at::ScalarType dtype)
      : context_(model.context({at::zeros({1, kTokens}, at::kLong), {}}, dtype)) {
    for (int64_t i = 0; i < kSamples; ++i) {
      inputs_.push_back(random({1, kTokens, kHidden}, dtype));
      targets_.push_back(random({1, kTokens, kHidden}, dtype));
    }
  }

  size_t size() const override { return inputs_.size(); }
  int64_t rows(size_t) const override { return kTokens; }
  int64_t counted(size_t) const override { return kTokens - 1; }
  at::Tensor input(size_t sample) const override { return inputs_[sample]; }
  at::Tensor target(size_t sample) const override { return targets_[sample]; }
  BlockContext context(size_t) const override { return context_; }

 private:
  BlockContext context_;
  std::vector<at::Tensor> inputs_, targets_;
};

/// A block and all that SignRound asks for to tune it.
class Tuned {
 public:
  Tuned(at::ScalarType dtype, int threads) : threads_(threads), model_(make_model(kConfig)) {
    block().load(random_weights(dtype));
    samples_ = std::make_unique<RandomSamples>(*model_, dtype);
    Scheme scheme;
    scheme.name = "W4A16";
    scheme.weights = {
        .bits = 4, .strategy = Strategy::Group, .group_size = 64, .scale_dtype = ScaleDtype::F16};
    for (Module* module : block().modules()) {
      if (module->weight.dim() == 2) {
        PlannedModule& one = planned_.emplace_back();
        one.name = module->name();
        one.kind = ModuleKind::Linear;
        one.scheme = scheme;
        modules_.push_back(module);
      }
    }
  }

  /// A whole iteration of `tune_block`: the median of those after the first.
  Seconds iteration() {
    std::vector<Seconds> ends;  // of iterations, each seen in the step that follows
    TunableBlock tunable{.block = block(),
                         .index = 0,
                         .modules = {},
                         .samples = *samples_,
                         .seed = 42,
                         .threads = threads_,
                         .samples_at_once = kSamples,
                         .progress = {}};
    for (size_t i = 0; i < modules_.size(); ++i) {
      tunable.modules.push_back({*modules_[i], planned_[i], modules_[i]->weight});
    }
    tunable.progress = [&](int64_t done, int64_t, double) {
      if (done > static_cast<int64_t>(ends.size())) {
        ends.push_back(now());
      }
      return true;
    };
    tune_block(tunable, {.iterations = kIterations + 2, .batch_size = kSamples});
    std::vector<double> clock, processor;
    for (size_t i = 2; i <= kIterations; ++i) {
      clock.push_back(ends[i].clock - ends[i - 1].clock);
      processor.push_back(ends[i].processor - ends[i - 1].processor);
    }
    return {median(clock), median(processor)};
  }

 private:
  Block& block() { return model_->block(0); }

  int threads_;
  std::unique_ptr<ModelGraph> model_;
  std::unique_ptr<RandomSamples> samples_;
  std::vector<PlannedModule> planned_;
  std::vector<Module*> modules_;
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

  /// A sample on each thread: too small to be shared out one by one.
  void run_attention(WorkerPool& threads) const {
    const auto sample = [this](size_t) {
      for (const auto& [rows, keys, scores] : heads_) {
        at::bmm(rows, keys.transpose(1, 2));
        at::bmm(scores, keys);
        at::bmm(rows, keys.transpose(1, 2));
        at::bmm(rows, keys.transpose(1, 2));
        at::bmm(scores.transpose(1, 2), rows);
        at::bmm(scores.transpose(1, 2), rows);
        at::bmm(scores, keys);
      }
    };
    threads.run({kSamples, sample, {}});
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
  Tuned tuned(dtype, threads);
  const Products products(dtype);
  WorkerPool pool(threads, [] { at::set_num_threads(1); });
  std::vector<double> ours, ratios, processor_ratios, shares[4];
  for (int i = 0; i <= kRepeats; ++i) {
    at::set_num_threads(threads);
    const Seconds linears = seconds([&] { products.run_linears(); });
    const Seconds weights = seconds([&] { products.run_weights(); });
    const Seconds attention = seconds([&] { products.run_attention(pool); });
    at::set_num_threads(1);  // no pool of its own beside the threads of the block
    const Seconds all = tuned.iteration();
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
    shares[3].push_back(all.processor);
  }
  return {{"seconds", median(ours)},
          {"ratio", median(ratios)},
          {"processor_ratio", median(processor_ratios)},
          {"processor_milliseconds",
           {{"products_of_linears", 1e3 * median(shares[0])},
            {"products_of_weight_gradients", 1e3 * median(shares[1])},
            {"products_of_attention", 1e3 * median(shares[2])},
            {"own", 1e3 * median(shares[3])}}}};
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
    for (int i = 0; i <= 4 * kRepeats; ++i) {
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
