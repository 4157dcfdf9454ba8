#include "modifiers/sign_round/activation_buffers.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace oneshot {

ActivationBuffers::ActivationBuffers(std::vector<BufferedLinear> linears,
                                     int64_t tokens,
                                     at::ScalarType dtype)
    : linears_(std::move(linears)) {
  for (const BufferedLinear& linear : linears_) {
    inputs_.resize(std::max(inputs_.size(), linear.input + 1));
    if (!inputs_[linear.input].defined()) {
      inputs_[linear.input] = at::empty({tokens, linear.in}, dtype);
    }
    gradients_.push_back(at::empty({tokens, linear.out}, dtype));
  }
}

void ActivationBuffers::begin(const std::vector<int64_t>& tokens) {
  offsets_.assign(1, 0);
  for (const int64_t count : tokens) {
    offsets_.push_back(offsets_.back() + count);
  }
  kept_.assign(linears_.size(), std::vector<char>(tokens.size(), 0));
  kept_inputs_.assign(inputs_.size(), std::vector<char>(tokens.size(), 0));
}

void ActivationBuffers::keep(size_t linear,
                             size_t sample,
                             const at::Tensor& input,
                             const at::Tensor& gradient) {
  const int64_t first = offsets_[sample];
  const int64_t count = offsets_[sample + 1] - first;
  const size_t shared = linears_[linear].input;
  if (kept_inputs_[shared][sample] == 0) {
    inputs_[shared].narrow(0, first, count).copy_(input);
    kept_inputs_[shared][sample] = 1;
  }
  gradients_[linear].narrow(0, first, count).copy_(gradient);
  kept_[linear][sample] = 1;
}

void ActivationBuffers::finish() {
  const auto clear = [this](const std::vector<char>& kept, at::Tensor& values) {
    for (size_t sample = 0; sample < kept.size(); ++sample) {
      if (kept[sample] == 0) {
        values.narrow(0, offsets_[sample], offsets_[sample + 1] - offsets_[sample]).zero_();
      }
    }
  };
  for (size_t input = 0; input < inputs_.size(); ++input) {
    clear(kept_inputs_[input], inputs_[input]);
  }
  for (size_t linear = 0; linear < linears_.size(); ++linear) {
    clear(kept_[linear], gradients_[linear]);
  }
}

at::Tensor ActivationBuffers::weight_gradient(size_t linear,
                                              int64_t first_row,
                                              int64_t rows) const {
  const int64_t tokens = offsets_.back();
  const at::Tensor gradient = gradients_[linear].narrow(0, 0, tokens).narrow(1, first_row, rows);
  return at::mm(gradient.t(), inputs_[linears_[linear].input].narrow(0, 0, tokens));
}

}  // namespace oneshot
