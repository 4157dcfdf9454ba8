// The modules that decoders are made of.
#pragma once

#include "engine/graph/module.h"

namespace oneshot {

/// y = x · weightᵀ + bias. weight [out, in], bias [out].
class Linear : public Module {
 public:
  Linear(std::string name, bool has_bias) : Module(std::move(name)), has_bias_(has_bias) {}
  void load(const Weights& weights) override;
  void unload() override;

 private:
  at::Tensor compute(const at::Tensor& input) const override;

  bool has_bias_;
};

/// Gives its input back: a place in a model where hooks see it, and where it can be quantized.
class Identity : public Module {
 public:
  using Module::Module;
  void load(const Weights&) override {}
  void unload() override {}

 private:
  at::Tensor compute(const at::Tensor& input) const override { return input; }
};

/// Root mean square norm over the last dimension, in float32, cast back before the weight is
/// multiplied. Source: arXiv:1910.07467, as the Llama family computes it. weight [size].
class RmsNorm : public Module {
 public:
  RmsNorm(std::string name, double epsilon) : Module(std::move(name)), epsilon_(epsilon) {}
  void load(const Weights& weights) override;
  void unload() override;

 private:
  at::Tensor compute(const at::Tensor& input) const override;

  double epsilon_;
};

}  // namespace oneshot
