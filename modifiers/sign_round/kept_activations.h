// What the gradients of a block's weights are made of: inputs and output gradients of its Linears,
// for all samples of a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace oneshot {

/// Keeps tensors of the passes themselves, no copies. Different samples may be kept by different
/// threads.
class KeptActivations {
 public:
  /// Begins a batch; lets go of the one before.
  void begin(size_t linears, size_t samples);

  /// Keeps x [tokens, in] and dL/dy [tokens, out] of a Linear for a sample of the batch, which a
  /// sample goes through at most once.
  void keep(size_t linear, size_t sample, const at::Tensor& input, const at::Tensor& gradient);

  /// Lets go of all.
  void clear() { kept_.clear(); }

  /// dL/dW of some output rows: [rows, in], in the dtype of the activations, in which the samples
  /// are added up in order; undefined when no sample went through the Linear.
  at::Tensor weight_gradient(size_t linear, int64_t first_row, int64_t rows) const;

 private:
  struct Kept {
    at::Tensor input, gradient;  // undefined where a sample did not go through
  };
  std::vector<std::vector<Kept>> kept_;  // by Linear and sample
};

}  // namespace oneshot
