#include "modifiers/sign_round/output_loss.h"

#include <ATen/ATen.h>

namespace oneshot {

at::Tensor token_weights(LossKind kind, const at::Tensor& target, int64_t counted) {
  constexpr double kSmallest = 1e-8;  // of a mean square; tokens of zeros stay finite
  const int64_t tokens = target.size(0);
  at::Tensor weights = kind == LossKind::Relative
                           ? target.to(at::kFloat).square().mean(-1).add_(kSmallest).rsqrt_()
                           : at::ones({tokens}, at::kFloat);
  weights.narrow(0, counted, tokens - counted).zero_();
  return weights;
}

}  // namespace oneshot
