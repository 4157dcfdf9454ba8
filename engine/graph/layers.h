// The modules that decoders are made of.
#pragma once

#include "engine/graph/module.h"
#include "engine/graph/tuned_linear.h"

namespace oneshot {

/// y = x · weightᵀ + bias. weight [out, in], bias [out].
class Linear : public Module {
 public:
  Linear(std::string name, int64_t in, int64_t out, bool has_bias)
      : Module(std::move(name)), in_(in), out_(out), has_bias_(has_bias) {}
  std::vector<NamedShape> tensors() const override;
  void load(const Weights& weights) override;
  void unload() override;

  const TunedPass* tuned = nullptr;  // while the weight is tuned; its owner outlives the passes

 private:
  at::Tensor compute(const at::Tensor& input) const override;

  int64_t in_, out_;
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
  RmsNorm(std::string name, int64_t size, double epsilon)
      : Module(std::move(name)), size_(size), epsilon_(epsilon) {}
  std::vector<NamedShape> tensors() const override { return {{name() + ".weight", {size_}}}; }
  void load(const Weights& weights) override;
  void unload() override;

 private:
  at::Tensor compute(const at::Tensor& input) const override;

  int64_t size_;
  double epsilon_;
};

}  // namespace oneshot
