// What vision towers are made of.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/layers.h"

namespace oneshot {

/// Layer norm over the last dimension. weight, bias [size]. Source: arXiv:1607.06450.
class LayerNorm : public Module {
 public:
  LayerNorm(std::string name, int64_t size, double epsilon)
      : Module(std::move(name)), size_(size), epsilon_(epsilon) {}
  std::vector<NamedShape> tensors() const override;
  void load(const Weights& weights) override;
  void unload() override;

 private:
  at::Tensor compute(const at::Tensor& input) const override;

  int64_t size_;
  double epsilon_;
};

/// A tensor that a tower adds or scales with; its name is the tensor's whole name.
class Parameter : public Module {
 public:
  Parameter(std::string name, std::vector<int64_t> shape)
      : Module(std::move(name)), shape_(std::move(shape)) {}
  std::vector<NamedShape> tensors() const override { return {{name(), shape_}}; }
  void load(const Weights& weights) override { weight = weights.load(name()); }
  void unload() override { weight = at::Tensor(); }

 private:
  at::Tensor compute(const at::Tensor& input) const override { return input + weight; }

  std::vector<int64_t> shape_;
};

/// A convolution whose steps are as long as its kernel: each patch of an image → a row. weight
/// [out, channels, size, size], bias [out] where it has one.
/// images [n, channels, H, W] → [n, H / size · W / size, out], patches row by row.
class PatchEmbedding : public Module {
 public:
  PatchEmbedding(std::string name, int64_t channels, int64_t size, int64_t out, bool has_bias)
      : Module(std::move(name)), channels_(channels), size_(size), out_(out), has_bias_(has_bias) {}
  std::vector<NamedShape> tensors() const override;
  void load(const Weights& weights) override;
  void unload() override;

 private:
  at::Tensor compute(const at::Tensor& input) const override;

  int64_t channels_, size_, out_;
  bool has_bias_;
};

/// throws Checkpoint for images, [..., channels, H, W], that are not `size` high and wide.
void check_image_size(const at::Tensor& images, int64_t size);

/// z · sigmoid(1.702 z), what OpenAI's CLIP has in the place of GELU.
at::Tensor quick_gelu(const at::Tensor& z);

/// By the name that a config gives: gelu (by erf), quick_gelu, silu. throws Unsupported for others,
/// naming `key`.
using Activation = at::Tensor (*)(const at::Tensor&);
Activation activation_of(const std::string& name, const char* key);

/// Attention of all tokens over all. query, key, value [B, T, heads · head_dim] → the same; a
/// mask is additive, [B or 1, 1, T, T]; undefined: none.
at::Tensor attend_all(const at::Tensor& query,
                      const at::Tensor& key,
                      const at::Tensor& value,
                      int64_t heads,
                      const at::Tensor& mask = {});

}  // namespace oneshot
