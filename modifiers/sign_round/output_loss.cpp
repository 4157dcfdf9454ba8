#include "modifiers/sign_round/output_loss.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace oneshot {

int64_t loss_tokens(int64_t tokens) {
  return std::max<int64_t>(tokens - 1, 1);
}

OutputLoss output_loss(const at::Tensor& output,
                       const at::Tensor& target,
                       const at::Tensor& weights,
                       double factor) {
  const int64_t tokens = loss_tokens(output.size(1));
  at::Tensor error = output.narrow(1, 0, tokens).to(at::kFloat, false, true);
  error.sub_(target.narrow(1, 0, tokens));
  if (weights.defined()) {
    error.mul_(weights.narrow(1, 0, tokens));
  }
  const at::Tensor flat = error.view({-1});
  const double sum = at::dot(flat, flat).item<double>();
  error.mul_(weights.defined() ? weights.narrow(1, 0, tokens) * (2 * factor)
                               : at::scalar_tensor(2 * factor, at::kFloat));
  OutputLoss loss{sum, at::empty(output.sizes(), output.options())};
  loss.gradient.narrow(1, 0, tokens).copy_(error);
  loss.gradient.narrow(1, tokens, output.size(1) - tokens).zero_();
  return loss;
}

at::Tensor relative_weights(const at::Tensor& target) {
  constexpr double kSmallest = 1e-8;  // of a mean square; tokens of zeros stay finite
  return target.to(at::kFloat).square().mean(-1, true).add_(kSmallest).rsqrt_();
}

}  // namespace oneshot
