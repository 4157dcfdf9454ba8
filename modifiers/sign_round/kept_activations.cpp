#include "modifiers/sign_round/kept_activations.h"

#include <ATen/ATen.h>

namespace oneshot {

void KeptActivations::begin(size_t linears, size_t samples) {
  kept_.assign(linears, std::vector<Kept>(samples));
}

void KeptActivations::keep(size_t linear,
                           size_t sample,
                           const at::Tensor& input,
                           const at::Tensor& gradient) {
  kept_[linear][sample] = {input, gradient};
}

at::Tensor KeptActivations::weight_gradient(size_t linear, int64_t first_row, int64_t rows) const {
  at::Tensor sum;
  for (const Kept& one : kept_[linear]) {  // a sample's rows fit the caches, a batch's do not
    if (!one.input.defined()) {
      continue;
    }
    const at::Tensor gradient = one.gradient.narrow(1, first_row, rows).t();
    sum = sum.defined() ? sum.addmm_(gradient, one.input) : at::mm(gradient, one.input);
  }
  return sum;
}

}  // namespace oneshot
