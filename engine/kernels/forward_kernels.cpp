// The front functions of the steps of a forward pass, and how a gradient goes back through them.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "engine/error.h"
#include "engine/kernels/kernel_table.h"

namespace oneshot::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// Whether a device's own kernels take these: dtypes they know, rows that lie in one piece.
bool is_plain(std::initializer_list<at::Tensor> tensors) {
  const at::ScalarType dtype = tensors.begin()->scalar_type();
  return std::all_of(tensors.begin(), tensors.end(), [&](const at::Tensor& tensor) {
    const bool known = dtype == at::kFloat || dtype == at::kBFloat16;
    return tensor.is_cpu() && known && tensor.scalar_type() == dtype && tensor.stride(-1) == 1;
  });
}

/// Whether a gradient is wanted of one of these.
bool is_tracked(std::initializer_list<at::Tensor> tensors) {
  return at::GradMode::is_enabled() &&
         std::any_of(tensors.begin(), tensors.end(), [](const at::Tensor& tensor) {
           return tensor.requires_grad();
         });
}

template <class Entry>
Entry pick(bool plain, Entry KernelTable::*entry) {
  const Entry function = plain ? cpu_kernels().*entry : nullptr;
  return function ? function : reference_kernels().*entry;
}

void check(bool right, const char* kernel, const at::Tensor& a, const at::Tensor& b) {
  if (!right) {
    throw Error(ErrorCode::Failed,
                c10::str("kernels: ", kernel, ": ", a.sizes(), " does not go with ", b.sizes()));
  }
}

void check_causal(const char* kernel, const at::Tensor& scores, const CausalRows& rows) {
  const int64_t columns = scores.size(-1);
  const bool fits = scores.is_contiguous() && rows.period > 0 && rows.first >= 0 &&
                    rows.first + rows.period <= columns &&
                    (scores.numel() / columns) % rows.period == 0;
  check(fits, kernel, scores, scores);
}

/// Steps that a device computes, with their ways back. They keep what they were given, and nothing
/// that they computed.
class NormFunction : public Function<NormFunction> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& input,
                            const at::Tensor& weight,
                            double epsilon) {
    context->save_for_backward({input, weight});
    context->saved_data["epsilon"] = epsilon;
    return pick(true, &KernelTable::rms_norm)(input, weight, epsilon);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const double epsilon = context->saved_data["epsilon"].toDouble();
    return {rms_norm_backward(grads[0], saved[0], saved[1], epsilon), {}, {}};
  }
};

class GateFunction : public Function<GateFunction> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& gate,
                            const at::Tensor& up) {
    context->save_for_backward({gate, up});
    return pick(true, &KernelTable::silu_multiply)(gate, up);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const GateGradients result = silu_multiply_backward(grads[0], saved[0], saved[1]);
    return {result.gate, result.up};
  }
};

class RotateFunction : public Function<RotateFunction> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& cosine,
                            const at::Tensor& sine) {
    context->save_for_backward({cosine, sine});
    return pick(true, &KernelTable::rotate_heads)(x, cosine, sine);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    return {rotate_heads_backward(grads[0], saved[0], saved[1]), {}, {}};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& input, const at::Tensor& weight, double epsilon) {
  check(weight.dim() == 1 && input.size(-1) == weight.size(0), "rms_norm", input, weight);
  const bool plain = input.is_contiguous() && is_plain({input, weight});
  const bool tracked = is_tracked({input, weight});
  if (plain && tracked && !weight.requires_grad()) {
    return NormFunction::apply(input, weight, epsilon);
  }
  return pick(plain && !tracked, &KernelTable::rms_norm)(input, weight, epsilon);
}

at::Tensor rms_norm_backward(const at::Tensor& grad,
                             const at::Tensor& input,
                             const at::Tensor& weight,
                             double epsilon) {
  check(grad.sizes() == input.sizes(), "rms_norm_backward", grad, input);
  const bool plain = input.is_contiguous() && is_plain({input, weight});
  return pick(plain, &KernelTable::rms_norm_backward)(grad.contiguous(), input, weight, epsilon);
}

at::Tensor silu_multiply(const at::Tensor& gate, const at::Tensor& up) {
  check(gate.sizes() == up.sizes(), "silu_multiply", gate, up);
  const bool plain = is_plain({gate, up});
  if (plain && is_tracked({gate, up})) {
    return GateFunction::apply(gate, up);
  }
  return pick(plain, &KernelTable::silu_multiply)(gate, up);
}

GateGradients silu_multiply_backward(const at::Tensor& grad,
                                     const at::Tensor& gate,
                                     const at::Tensor& up) {
  check(grad.sizes() == gate.sizes(), "silu_multiply_backward", grad, gate);
  return pick(is_plain({gate, up}), &KernelTable::silu_multiply_backward)(
      grad.contiguous(), gate, up);
}

at::Tensor rotate_heads(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  const bool fits = x.dim() == 4 && cosine.dim() == 3 && cosine.sizes() == sine.sizes() &&
                    cosine.size(0) == 1 && cosine.size(1) == x.size(1) && cosine.size(2) % 2 == 0 &&
                    cosine.size(2) <= x.size(3);
  check(fits, "rotate_heads", x, cosine);
  const bool plain = cosine.is_contiguous() && sine.is_contiguous() && is_plain({x, cosine, sine});
  if (plain && is_tracked({x})) {
    return RotateFunction::apply(x, cosine, sine);
  }
  return pick(plain, &KernelTable::rotate_heads)(x, cosine, sine);
}

at::Tensor rotate_heads_backward(const at::Tensor& grad,
                                 const at::Tensor& cosine,
                                 const at::Tensor& sine) {
  check(grad.dim() == 4 && grad.size(2) == cosine.size(1), "rotate_heads_backward", grad, cosine);
  const at::Tensor rows = grad.stride(-1) == 1 ? grad : grad.contiguous();
  return pick(is_plain({rows, cosine, sine}), &KernelTable::rotate_heads_backward)(
      rows, cosine, sine);
}

SquaredErrors squared_errors(const at::Tensor& output,
                             const at::Tensor& target,
                             const at::Tensor& weights,
                             double factor) {
  const bool fits = output.dim() == 2 && output.sizes() == target.sizes() &&
                    output.is_contiguous() && target.is_contiguous() &&
                    output.scalar_type() == target.scalar_type();
  check(fits, "squared_errors", output, target);
  if (weights.defined()) {
    const bool weighs = weights.dim() == 1 && weights.size(0) == output.size(0) &&
                        weights.is_contiguous() && weights.scalar_type() == at::kFloat;
    check(weighs, "squared_errors", output, weights);
  }
  return pick(is_plain({output, target}), &KernelTable::squared_errors)(
      output, target, weights, factor);
}

void causal_softmax(at::Tensor& scores, const CausalRows& rows, const at::Tensor& log_sums) {
  check_causal("causal_softmax", scores, rows);
  const bool plain = is_plain({scores}) && !is_tracked({scores});
  pick(plain, &KernelTable::causal_softmax)(scores, rows, log_sums);
}

void causal_softmax_backward(at::Tensor& scores,
                             at::Tensor& grad,
                             const CausalRows& rows,
                             const at::Tensor& log_sums) {
  check_causal("causal_softmax_backward", scores, rows);
  const bool fits = grad.is_contiguous() && grad.sizes() == scores.sizes() &&
                    log_sums.is_contiguous() &&
                    log_sums.numel() * scores.size(-1) == scores.numel();
  check(fits, "causal_softmax_backward", grad, scores);
  pick(is_plain({scores, grad}), &KernelTable::causal_softmax_backward)(
      scores, grad, rows, log_sums);
}

}  // namespace oneshot::kernels
