#include "engine/kernels/packed_product.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "engine/kernels/processor.h"

namespace oneshot::kernels {
namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;

// Operators of LibTorch that its C++ headers do not declare.
using Reorder = at::Tensor(const at::Tensor& weight, std::optional<int64_t> rows);
using Pointwise = at::Tensor(const at::Tensor& x,
                             const at::Tensor& weight,
                             const std::optional<at::Tensor>& bias,
                             std::string_view function,
                             Scalars scalars,
                             std::optional<std::string_view> algorithm);

template <typename Signature>
c10::TypedOperatorHandle<Signature> find_operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

}  // namespace

bool can_pack(const at::Tensor& weight) {
  return at::hasMKLDNN() && weight.is_cpu() && weight.scalar_type() == at::kBFloat16 &&
         has_bfloat16_products();
}

at::Tensor packed(const at::Tensor& weight) {
  constexpr int64_t kRows = 512;  // of the other factor; the layout is the same for 16 and 2048
  static const auto kReorder = find_operator<Reorder>("mkldnn::_reorder_linear_weight");
  const at::AutoDispatchBelowAutograd no_gradients;
  return kReorder.call(weight, kRows);
}

at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias) {
  static const auto kPointwise = find_operator<Pointwise>("mkldnn::_linear_pointwise");
  const at::AutoDispatchBelowAutograd no_gradients;
  return kPointwise.call(
      x, packed, bias.defined() ? std::optional(bias) : std::nullopt, "none", Scalars(), "");
}

at::Tensor in_whole_steps(const at::Tensor& x) {
  constexpr int64_t kStep = 32;
  const int64_t missing = (kStep - x.size(0) % kStep) % kStep;
  return x.scalar_type() == at::kBFloat16 && missing > 0
             ? at::constant_pad_nd(x, {0, 0, 0, missing})
             : x;
}

}  // namespace oneshot::kernels
