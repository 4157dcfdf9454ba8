// A Linear whose weight is tuned: it computes with other values than its own, and tells what their
// gradient is made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <functional>

namespace oneshot {

/// What a Linear does while its weight is tuned, in passes that track gradients; in all others it
/// computes with its own weight, so that both functions are at hand at the same time.
struct TunedPass {
  /// [out, in], in place of the weight; undefined while they are packed.
  at::Tensor values;
  /// The values and the transposed values as `kernels::packed` makes them, or both undefined.
  at::Tensor packed, packed_transposed;
  /// Called on the way back, by the thread that runs it: input x [tokens, in] and dL/dy [tokens,
  /// out], both perhaps with rows of zeros behind. dL/dvalues is the sum of dL/dyᵀ · x over all
  /// calls, for the owner to compute.
  std::function<void(const at::Tensor& input, const at::Tensor& gradient)> collect;
  /// Set on the way back where dL/dinput was computed: such a Linear is worth packing.
  mutable std::atomic<bool> input_asks{false};
};

/// input · valuesᵀ + bias, with gradients, whether the input asks for one or not. bias: may be
/// undefined; gets no gradient. dL/dinput is computed only where the input asks for it. pass:
/// outlives the way back.
at::Tensor tuned_linear(const at::Tensor& input, const TunedPass& pass, const at::Tensor& bias);

}  // namespace oneshot
