// The front functions of the steps of a forward pass.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "engine/error.h"
#include "engine/kernels/kernel_table.h"

namespace oneshot::kernels {
namespace {

/// Whether a device's own kernels take these: dtypes they know, rows that lie in one piece, and
/// nothing that a gradient is wanted of.
bool is_plain(std::initializer_list<at::Tensor> tensors) {
  const at::ScalarType dtype = tensors.begin()->scalar_type();
  return std::all_of(tensors.begin(), tensors.end(), [&](const at::Tensor& tensor) {
    const bool known = dtype == at::kFloat || dtype == at::kBFloat16;
    const bool tracked = at::GradMode::is_enabled() && tensor.requires_grad();
    return tensor.is_cpu() && known && tensor.scalar_type() == dtype && tensor.stride(-1) == 1 &&
           !tracked;
  });
}

template <class Function>
Function pick(bool plain, Function KernelTable::*entry) {
  const Function function = plain ? cpu_kernels().*entry : nullptr;
  return function ? function : reference_kernels().*entry;
}

void check(bool right, const char* kernel, const at::Tensor& a, const at::Tensor& b) {
  if (!right) {
    throw Error(ErrorCode::Failed,
                c10::str("kernels: ", kernel, ": ", a.sizes(), " does not go with ", b.sizes()));
  }
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& input, const at::Tensor& weight, double epsilon) {
  check(weight.dim() == 1 && input.size(-1) == weight.size(0), "rms_norm", input, weight);
  const bool plain = input.is_contiguous() && is_plain({input, weight});
  return pick(plain, &KernelTable::rms_norm)(input, weight, epsilon);
}

at::Tensor silu_multiply(const at::Tensor& gate, const at::Tensor& up) {
  check(gate.sizes() == up.sizes(), "silu_multiply", gate, up);
  return pick(is_plain({gate, up}), &KernelTable::silu_multiply)(gate, up);
}

at::Tensor rotate_heads(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  const bool fits = x.dim() == 4 && cosine.dim() == 3 && cosine.sizes() == sine.sizes() &&
                    cosine.size(0) == 1 && cosine.size(1) == x.size(1) && cosine.size(2) % 2 == 0 &&
                    cosine.size(2) <= x.size(3);
  check(fits, "rotate_heads", x, cosine);
  const bool plain = cosine.is_contiguous() && sine.is_contiguous() && is_plain({x, cosine, sine});
  return pick(plain, &KernelTable::rotate_heads)(x, cosine, sine);
}

void causal_softmax_(at::Tensor& scores, int64_t period, int64_t first, double scale) {
  const int64_t columns = scores.size(-1);
  const bool fits = scores.is_contiguous() && period > 0 && first >= 0 &&
                    first + period <= columns && (scores.numel() / columns) % period == 0;
  check(fits, "causal_softmax_", scores, scores);
  pick(is_plain({scores}), &KernelTable::causal_softmax_)(scores, period, first, scale);
}

}  // namespace oneshot::kernels
