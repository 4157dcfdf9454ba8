#include "engine/graph/tuned_linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace oneshot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor flat(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)});
}

class TunedLinear : public torch::autograd::Function<TunedLinear> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& input,
                            const at::Tensor& values,
                            const std::optional<at::Tensor>& bias,
                            const TunedPass* pass) {
    context->save_for_backward({input, values});
    context->saved_data["pass"] = reinterpret_cast<int64_t>(pass);
    return at::linear(input, values, bias);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto* pass = reinterpret_cast<const TunedPass*>(context->saved_data["pass"].toInt());
    const at::Tensor gradient = flat(gradients[0]);
    pass->collect(flat(saved[0]), gradient);
    at::Tensor to_input;
    if (context->needs_input_grad(0)) {
      to_input = at::mm(gradient, saved[1]).view(saved[0].sizes());
    }
    return {to_input, {}, {}, {}};
  }
};

}  // namespace

at::Tensor tuned_linear(const at::Tensor& input, const TunedPass& pass, const at::Tensor& bias) {
  return TunedLinear::apply(
      input, pass.values, bias.defined() ? std::optional(bias) : std::nullopt, &pass);
}

}  // namespace oneshot
