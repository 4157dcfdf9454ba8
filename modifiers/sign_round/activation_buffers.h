// What the gradients of a block's weights are made of: inputs and output gradients of its Linears,
// for all samples of a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace oneshot {

/// A Linear as the buffers see it.
struct BufferedLinear {
  int64_t in, out;
  size_t input;  // Linears of the same number have the same input, which is kept once
};

/// Different samples may be filled by different threads.
class ActivationBuffers {
 public:
  /// tokens: of all samples of a batch, at most.
  ActivationBuffers(std::vector<BufferedLinear> linears, int64_t tokens, at::ScalarType dtype);

  /// Begins a batch of samples with that many tokens each.
  void begin(const std::vector<int64_t>& tokens);

  /// Keeps x [tokens, in] and dL/dy [tokens, out] of a Linear for a sample of the batch.
  void keep(size_t linear, size_t sample, const at::Tensor& input, const at::Tensor& gradient);

  /// Linears that a sample did not go through get zeros. Call after the last `keep`.
  void finish();

  /// dL/dW of some output rows: [rows, in], in the dtype of the buffers.
  at::Tensor weight_gradient(size_t linear, int64_t first_row, int64_t rows) const;

 private:
  std::vector<BufferedLinear> linears_;
  std::vector<at::Tensor> inputs_;              // [tokens, in], by input
  std::vector<at::Tensor> gradients_;           // [tokens, out], by Linear
  std::vector<int64_t> offsets_;                // of the samples, and the end
  std::vector<std::vector<char>> kept_;         // by Linear and sample
  std::vector<std::vector<char>> kept_inputs_;  // by input and sample
};

}  // namespace oneshot
