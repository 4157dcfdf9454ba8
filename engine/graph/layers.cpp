#include "engine/graph/layers.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "engine/kernels/kernels.h"
#include "engine/kernels/packed_product.h"

namespace oneshot {

std::vector<NamedShape> Linear::tensors() const {
  std::vector<NamedShape> all{{name() + ".weight", {out_, in_}}};
  if (has_bias_) {
    all.push_back({name() + ".bias", {out_}});
  }
  return all;
}

void Linear::load(const Weights& weights) {
  weight = weights.load(name() + ".weight");
  if (has_bias_) {
    bias = weights.load(name() + ".bias");
  }
}

void Linear::unload() {
  weight = bias = at::Tensor();
}

at::Tensor Linear::compute(const at::Tensor& input) const {
  if (tuned != nullptr && at::GradMode::is_enabled()) {
    return tuned_linear(input, *tuned, bias);
  }
  const at::Tensor flat = input.reshape({-1, input.size(-1)});
  const at::Tensor rows = kernels::in_whole_steps(flat);
  if (rows.is_same(flat)) {
    return at::linear(input, weight, bias);
  }
  std::vector<int64_t> sizes = input.sizes().vec();
  sizes.back() = weight.size(0);
  return at::linear(rows, weight, bias).narrow(0, 0, flat.size(0)).view(sizes);
}

void RmsNorm::load(const Weights& weights) {
  weight = weights.load(name() + ".weight");
}

void RmsNorm::unload() {
  weight = at::Tensor();
}

at::Tensor RmsNorm::compute(const at::Tensor& input) const {
  return kernels::rms_norm(input, weight, epsilon_);
}

}  // namespace oneshot
