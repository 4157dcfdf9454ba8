// The entries of the CPU's kernel table, and what they hand to the parts that are compiled once
// per instruction set. All of them work on one thread: the callers share out rows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/backward.h"
#include "engine/kernels/kernels.h"

namespace oneshot::kernels::cpu {

at::Tensor group_absmax(const at::Tensor& weight, int64_t group_size);
GroupRange group_range(const at::Tensor& weight, int64_t group_size);
at::Tensor encode_int(const at::Tensor& weight,
                      const at::Tensor& scale,
                      const at::Tensor& zero_point,
                      int64_t group_size,
                      int bits);
at::Tensor encode_fp8(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size);
at::Tensor encode_fp4(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size);
at::Tensor pack_int(const at::Tensor& codes, int bits);
at::Tensor pack_nibbles(const at::Tensor& codes);
at::Tensor rms_norm(const at::Tensor& input, const at::Tensor& weight, double epsilon);
at::Tensor silu_multiply(const at::Tensor& gate, const at::Tensor& up);
void causal_softmax(at::Tensor& scores, const CausalRows& rows, const at::Tensor& log_sums);
at::Tensor rotate_heads(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine);
at::Tensor rms_norm_backward(const at::Tensor& grad,
                             const at::Tensor& input,
                             const at::Tensor& weight,
                             double epsilon);
GateGradients silu_multiply_backward(const at::Tensor& grad,
                                     const at::Tensor& gate,
                                     const at::Tensor& up);
at::Tensor rotate_heads_backward(const at::Tensor& grad,
                                 const at::Tensor& cosine,
                                 const at::Tensor& sine);
void causal_softmax_backward(at::Tensor& scores,
                             at::Tensor& grad,
                             const CausalRows& rows,
                             const at::Tensor& log_sums);
SquaredErrors squared_errors(const at::Tensor& output,
                             const at::Tensor& target,
                             const at::Tensor& weights,
                             double factor);

/// How the floating-point numbers of a tensor are stored.
enum class Storage { BFloat16, Float16, Float32 };
Storage storage_of(const at::Tensor& tensor);

/// A weight and the size of its groups.
struct Groups {
  const void* weight;  // [rows, columns]
  Storage storage;
  size_t rows, columns, group_size;

  size_t groups() const { return (columns - 1) / group_size + 1; }
};
Groups groups_of(const at::Tensor& weight, int64_t group_size);

/// What an encoder reads and writes.
struct EncodeJob {
  Groups in;
  const void* scale;  // [rows, groups]
  Storage scale_storage;
  const int8_t* zero_point;  // [rows, groups], or null: 0
  uint8_t* codes;            // [rows, columns]
};
EncodeJob encode_job(const at::Tensor& weight,
                     const at::Tensor& scale,
                     int64_t group_size,
                     const at::Tensor& codes);

/// What the packers read and write.
struct PackJob {
  const uint8_t* codes;  // [rows, columns], the low bits count
  uint8_t* bytes;        // [rows, bytes_per_row]
  size_t rows, columns, bytes_per_row;
};

/// What the steps of a forward pass read and write, and the ways back through them: there, `grad`
/// is the gradient of what the step gave, and the result that of what it took. Strides are in
/// elements.
struct NormJob {
  const void *input, *weight;  // [rows, columns], [columns]
  const void* grad;            // [rows, columns], on the way back
  void* result;
  Storage storage;
  size_t rows, columns;
  float epsilon;
};
struct GateJob {
  const void *gate, *up;  // [rows, columns]
  const void* grad;       // the same, contiguous, on the way back
  void* result;           // the same, contiguous; on the way back that of the gate
  void* up_result;        // the same, on the way back
  Storage storage;
  size_t rows, columns, gate_stride, up_stride;
};
struct RotateJob {
  const void* input;          // [batches, tokens, heads, head_dim]
  const void *cosine, *sine;  // [tokens, rotated]
  void* result;               // as the input, in an order of its own
  Storage storage;
  size_t batches, tokens, heads, head_dim, rotated;
  struct Strides {
    size_t batch, token, head;
  } input_strides, result_strides;
};

struct SoftmaxJob {
  void* scores;     // [rows, columns]
  void* grad;       // the same, on the way back
  float* log_sums;  // [rows], written on the way forward unless null, read on the way back
  Storage storage;
  size_t rows, columns, period, first;
  float scale;
};

}  // namespace oneshot::kernels::cpu
