// The ways back through the steps of a forward pass (kernels.h): from the gradient of what a step
// gave to that of what it took. The front functions of the steps call them where a gradient is
// asked for; float32 inside, rounded once to the dtype, the same for any number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/kernels/kernels.h"

namespace oneshot::kernels {

/// Where a way back begins: the weighted squared errors of some rows.
struct SquaredErrors {
  double sum;           // of (weight · (output − target))²
  at::Tensor gradient;  // of factor · sum by the output, in its dtype, contiguous
};
/// output, target [rows, columns] of one dtype, contiguous. weights: float32 [rows], one a row, or
/// undefined: all 1.
SquaredErrors squared_errors(const at::Tensor& output,
                             const at::Tensor& target,
                             const at::Tensor& weights,
                             double factor);

/// Of rms_norm's input; its weight is a constant here. All of one dtype, grad and input contiguous.
at::Tensor rms_norm_backward(const at::Tensor& grad,
                             const at::Tensor& input,
                             const at::Tensor& weight,
                             double epsilon);

struct GateGradients {
  at::Tensor gate, up;  // contiguous
};
/// Of silu_multiply's gate and up. All of one dtype, grad contiguous.
GateGradients silu_multiply_backward(const at::Tensor& grad,
                                     const at::Tensor& gate,
                                     const at::Tensor& up);

/// Of rotate_heads' x: grad [B, heads, T, head_dim] → [B, T, heads, head_dim], contiguous.
at::Tensor rotate_heads_backward(const at::Tensor& grad,
                                 const at::Tensor& cosine,
                                 const at::Tensor& sine);

/// Of causal_softmax's scores, in place, from these scores themselves: they become the
/// probabilities, and grad, the gradient of the probabilities, that of the scores. Both of one
/// dtype and shape, contiguous; log_sums as causal_softmax gave them.
void causal_softmax_backward(at::Tensor& scores,
                             at::Tensor& grad,
                             const CausalRows& rows,
                             const at::Tensor& log_sums);

}  // namespace oneshot::kernels
