// A block of three Linears that is tuned on a few samples of different lengths.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph/layers.h"
#include "engine/modifier.h"

namespace oneshot {

/// x + down(silu(gate(x)) · up(x)), 32 wide and 64 in the middle: gate and up have one input.
class TinyBlock : public Block {
 public:
  static constexpr int64_t kHidden = 32, kMiddle = 64;

  TinyBlock() {
    at::manual_seed(7);
    const Weights random{[](const std::string&) { return true; },
                         [](const std::string& name) {
                           return name.find("down") == std::string::npos
                                      ? at::randn({kMiddle, kHidden}) * 0.2
                                      : at::randn({kHidden, kMiddle}) * 0.2;
                         }};
    load(random);
  }

  const std::string& name() const override { return name_; }
  at::Tensor forward(const at::Tensor& hidden, const BlockContext&) override {
    return hidden + down.forward(at::silu(gate.forward(hidden)) * up.forward(hidden));
  }
  std::vector<Module*> modules() override { return {&gate, &up, &down}; }

  Linear gate{"block.gate_proj", kHidden, kMiddle, false};
  Linear up{"block.up_proj", kHidden, kMiddle, false};
  Linear down{"block.down_proj", kMiddle, kHidden, false};

 private:
  std::string name_ = "block";
};

/// Six samples; what the block should make of them is what it makes of them now.
class TinySamples : public BlockSamples {
 public:
  explicit TinySamples(TinyBlock& block) {
    at::manual_seed(8);
    const at::Tensor mixed = at::randn({TinyBlock::kHidden, TinyBlock::kHidden}) * 0.3;
    for (const int64_t tokens : {9, 5, 12, 7, 9, 6}) {
      inputs.push_back(at::matmul(at::randn({1, tokens, TinyBlock::kHidden}), mixed));
      targets.push_back(block.forward(inputs.back(), context_).clone());
    }
  }

  size_t size() const override { return inputs.size(); }
  int64_t rows(size_t sample) const override { return inputs[sample].size(1); }
  int64_t counted(size_t sample) const override { return rows(sample) - 1; }
  at::Tensor input(size_t sample) const override { return inputs[sample]; }
  at::Tensor target(size_t sample) const override { return targets[sample]; }
  BlockContext context(size_t) const override { return context_; }

  std::vector<at::Tensor> inputs, targets;  // [1, tokens, hidden]

 private:
  BlockContext context_;
};

inline Scheme group_scheme(int bits) {
  Scheme scheme;
  scheme.name = "W" + std::to_string(bits) + "A16";
  scheme.weights = {
      .bits = bits, .strategy = Strategy::Group, .group_size = 32, .scale_dtype = ScaleDtype::F16};
  return scheme;
}

/// All there is to tune a block.
struct TinyTuning {
  explicit TinyTuning(int bits = 3) {
    for (Module* module : block.modules()) {
      PlannedModule& one = planned.emplace_back();
      one.name = module->name();
      one.kind = ModuleKind::Linear;
      one.scheme = group_scheme(bits);
      one.dtype = Dtype::F32;
      one.rows = module->weight.size(0);
      one.columns = module->weight.size(1);
      one.tuned = true;
    }
  }

  TunableBlock tunable(int threads = 1, size_t samples_at_once = 8) {
    TunableBlock result{.block = block,
                        .index = 0,
                        .modules = {},
                        .samples = samples,
                        .seed = 42,
                        .threads = threads,
                        .samples_at_once = samples_at_once,
                        .progress = [](int64_t, int64_t, double) { return true; }};
    for (size_t i = 0; i < planned.size(); ++i) {
      Module& module = *block.modules()[i];
      result.modules.push_back({module, planned[i], module.weight});
    }
    return result;
  }

  TinyBlock block;
  TinySamples samples{block};
  std::vector<PlannedModule> planned;
};

}  // namespace oneshot
