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
}

void ActivationBuffers::keep(size_t linear,
                             size_t sample,
                             const at::Tensor& input,
                             const at::Tensor& gradient) {
  const int64_t first = offsets_[sample];
  const int64_t count = offsets_[sample + 1] - first;
  const size_t shared = linears_[linear].input;
  const auto owner = std::find_if(linears_.begin(), linears_.end(), [&](const BufferedLinear& l) {
    return l.input == shared;
  });
  if (owner == linears_.begin() + static_cast<std::ptrdiff_t>(linear)) {
    inputs_[shared].narrow(0, first, count).copy_(input);
  }
  gradients_[linear].narrow(0, first, count).copy_(gradient);
  kept_[linear][sample] = 1;
}

void ActivationBuffers::finish() {
  for (size_t linear = 0; linear < linears_.size(); ++linear) {
    for (size_t sample = 0; sample + 1 < offsets_.size(); ++sample) {
      if (kept_[linear][sample] == 0) {
        const int64_t first = offsets_[sample];
        const int64_t count = offsets_[sample + 1] - first;
        inputs_[linears_[linear].input].narrow(0, first, count).zero_();
        gradients_[linear].narrow(0, first, count).zero_();
      }
    }
  }
}

at::Tensor ActivationBuffers::weight_gradient(size_t linear, int64_t first_row, int64_t rows) const {
  const int64_t tokens = offsets_.back();
  const at::Tensor gradient =
      gradients_[linear].narrow(0, 0, tokens).narrow(1, first_row, rows);
  return at::mm(gradient.t(), inputs_[linears_[linear].input].narrow(0, 0, tokens));
}

}  // namespace oneshot
