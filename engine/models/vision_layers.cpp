#include "engine/models/vision_layers.h"

#include <ATen/ATen.h>

#include "engine/error.h"

namespace oneshot {

std::vector<NamedShape> LayerNorm::tensors() const {
  return {{name() + ".weight", {size_}}, {name() + ".bias", {size_}}};
}

void LayerNorm::load(const Weights& weights) {
  weight = weights.load(name() + ".weight");
  bias = weights.load(name() + ".bias");
}

void LayerNorm::unload() {
  weight = bias = at::Tensor();
}

at::Tensor LayerNorm::compute(const at::Tensor& input) const {
  return at::layer_norm(input, {size_}, weight, bias, epsilon_);
}

std::vector<NamedShape> PatchEmbedding::tensors() const {
  std::vector<NamedShape> all{{name() + ".weight", {out_, channels_, size_, size_}}};
  if (has_bias_) {
    all.push_back({name() + ".bias", {out_}});
  }
  return all;
}

void PatchEmbedding::load(const Weights& weights) {
  weight = weights.load(name() + ".weight");
  if (has_bias_) {
    bias = weights.load(name() + ".bias");
  }
}

void PatchEmbedding::unload() {
  weight = bias = at::Tensor();
}

at::Tensor PatchEmbedding::compute(const at::Tensor& input) const {
  const int64_t rows = input.size(2) / size_, columns = input.size(3) / size_;
  const at::Tensor patches =
      input.narrow(2, 0, rows * size_)
          .narrow(3, 0, columns * size_)
          .reshape({input.size(0), channels_, rows, size_, columns, size_})
          .permute({0, 2, 4, 1, 3, 5})
          .reshape({input.size(0), rows * columns, channels_ * size_ * size_});
  return at::linear(patches, weight.reshape({out_, -1}), bias);
}

void check_image_size(const at::Tensor& images, int64_t size) {
  if (images.dim() < 4 || images.size(-2) != size || images.size(-1) != size) {
    throw Error(ErrorCode::Checkpoint,
                "images of " + std::to_string(images.size(-1)) + " pixels came to a tower that " +
                    "reads " + std::to_string(size) +
                    "; do preprocessor_config.json and config.json belong together?");
  }
}

at::Tensor quick_gelu(const at::Tensor& z) {
  return z * at::sigmoid(1.702 * z);
}

Activation activation_of(const std::string& name, const char* key) {
  if (name == "quick_gelu") {
    return quick_gelu;
  }
  if (name == "gelu") {
    return [](const at::Tensor& z) { return at::gelu(z); };
  }
  if (name == "silu") {
    return [](const at::Tensor& z) { return at::silu(z); };
  }
  throw Error(ErrorCode::Unsupported,
              "config.json: " + std::string(key) + " '" + name +
                  "' is not supported, only gelu, quick_gelu and silu");
}

at::Tensor attend_all(const at::Tensor& query,
                      const at::Tensor& key,
                      const at::Tensor& value,
                      int64_t heads,
                      const at::Tensor& mask) {
  const auto split = [heads](const at::Tensor& x) {
    return x.view({x.size(0), x.size(1), heads, -1}).transpose(1, 2);
  };
  const at::Tensor mixed = at::scaled_dot_product_attention(
      split(query), split(key), split(value), mask.defined() ? std::optional(mask) : std::nullopt);
  return mixed.transpose(1, 2).reshape(query.sizes());
}

}  // namespace oneshot
