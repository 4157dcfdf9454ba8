#include "engine/graph/tuned_linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "engine/kernels/packed_product.h"

namespace oneshot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor flat(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)});
}

class TunedLinear : public torch::autograd::Function<TunedLinear> {
 public:
  /// leaf: asks for a gradient, so that there is a way back where the input does not.
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& input,
                            const at::Tensor& /*leaf*/,
                            const std::optional<at::Tensor>& bias,
                            const TunedPass* pass) {
    const at::Tensor rows = kernels::in_whole_steps(flat(input));
    context->save_for_backward({rows});
    context->saved_data["pass"] = reinterpret_cast<int64_t>(pass);
    context->saved_data["sizes"] = input.sizes().vec();
    const at::Tensor output =
        pass->packed.defined()
            ? kernels::packed_linear(rows, pass->packed, bias.value_or(at::Tensor()))
            : at::linear(rows, pass->values, bias);
    std::vector<int64_t> sizes = input.sizes().vec();
    sizes.back() = output.size(1);
    return output.narrow(0, 0, input.numel() / input.size(-1)).view(sizes);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto* pass = reinterpret_cast<const TunedPass*>(context->saved_data["pass"].toInt());
    const at::Tensor gradient = kernels::in_whole_steps(flat(gradients[0]));
    pass->collect(saved[0], gradient);
    at::Tensor to_input;
    if (context->needs_input_grad(0)) {
      pass->input_asks = true;
      to_input = pass->packed_transposed.defined()
                     ? kernels::packed_linear(gradient, pass->packed_transposed, {})
                     : at::mm(gradient, pass->values);
      const std::vector<int64_t> sizes = context->saved_data["sizes"].toIntVector();
      to_input = to_input.narrow(0, 0, c10::multiply_integers(sizes) / sizes.back()).view(sizes);
    }
    return {to_input, {}, {}, {}};
  }
};

}  // namespace

at::Tensor tuned_linear(const at::Tensor& input, const TunedPass& pass, const at::Tensor& bias) {
  const at::Tensor leaf = at::empty({0}, input.options()).requires_grad_();
  return TunedLinear::apply(
      input, leaf, bias.defined() ? std::optional(bias) : std::nullopt, &pass);
}

}  // namespace oneshot
