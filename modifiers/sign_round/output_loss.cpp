#include "modifiers/sign_round/output_loss.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace oneshot {

int64_t loss_tokens(int64_t tokens) {
  return std::max<int64_t>(tokens - 1, 1);
}

at::Tensor token_weights(LossKind kind, const at::Tensor& target) {
  constexpr double kSmallest = 1e-8;  // of a mean square; tokens of zeros stay finite
  const int64_t tokens = target.size(1), counted = loss_tokens(tokens);
  at::Tensor weights = kind == LossKind::Relative
                           ? target[0].to(at::kFloat).square().mean(-1).add_(kSmallest).rsqrt_()
                           : at::ones({tokens}, at::kFloat);
  weights.narrow(0, counted, tokens - counted).zero_();
  return weights;
}

}  // namespace oneshot
