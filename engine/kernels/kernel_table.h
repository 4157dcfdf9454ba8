// One table of typed functions per device. An empty entry means: use the reference.
#pragma once

#include <string>

#include "engine/kernels/backward.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/tuning.h"

namespace oneshot::kernels {

struct KernelTable {
  const char* device;
  at::Tensor (*group_absmax)(const at::Tensor& weight, int64_t group_size) = nullptr;
  GroupRange (*group_range)(const at::Tensor& weight, int64_t group_size) = nullptr;
  at::Tensor (*encode_int)(const at::Tensor& weight,
                           const at::Tensor& scale,
                           const at::Tensor& zero_point,
                           int64_t group_size,
                           int bits) = nullptr;
  at::Tensor (*encode_fp8)(const at::Tensor& weight,
                           const at::Tensor& scale,
                           int64_t group_size) = nullptr;
  at::Tensor (*encode_fp4)(const at::Tensor& weight,
                           const at::Tensor& scale,
                           int64_t group_size) = nullptr;
  at::Tensor (*pack_int)(const at::Tensor& codes, int bits) = nullptr;
  at::Tensor (*unpack_int)(const at::Tensor& words, int bits, int64_t columns) = nullptr;
  at::Tensor (*pack_nibbles)(const at::Tensor& codes) = nullptr;
  at::Tensor (*unpack_nibbles)(const at::Tensor& bytes) = nullptr;
  at::Tensor (*rms_norm)(const at::Tensor& input,
                         const at::Tensor& weight,
                         double epsilon) = nullptr;
  at::Tensor (*silu_multiply)(const at::Tensor& gate, const at::Tensor& up) = nullptr;
  at::Tensor (*rotate_heads)(const at::Tensor& x,
                             const at::Tensor& cosine,
                             const at::Tensor& sine) = nullptr;
  at::Tensor (*rms_norm_backward)(const at::Tensor& grad,
                                  const at::Tensor& input,
                                  const at::Tensor& weight,
                                  double epsilon) = nullptr;
  GateGradients (*silu_multiply_backward)(const at::Tensor& grad,
                                          const at::Tensor& gate,
                                          const at::Tensor& up) = nullptr;
  at::Tensor (*rotate_heads_backward)(const at::Tensor& grad,
                                      const at::Tensor& cosine,
                                      const at::Tensor& sine) = nullptr;
  void (*causal_softmax)(at::Tensor& scores,
                         const CausalRows& rows,
                         const at::Tensor& log_sums) = nullptr;
  void (*causal_softmax_backward)(at::Tensor& scores,
                                  at::Tensor& grad,
                                  const CausalRows& rows,
                                  const at::Tensor& log_sums) = nullptr;
  SquaredErrors (*squared_errors)(const at::Tensor& output,
                                  const at::Tensor& target,
                                  const at::Tensor& weights,
                                  double factor) = nullptr;
  // Of tuning: the scheme's group_size is 1 … columns.
  void (*round_tuned)(const TunedScheme& scheme,
                      const TunedWeight& weight,
                      RoundedWeight& out) = nullptr;
  void (*sign_step)(const TunedScheme& scheme,
                    const TunedWeight& weight,
                    const at::Tensor& gradient,
                    float rate,
                    float factor_rate) = nullptr;
  at::Tensor (*search_scales)(const TunedScheme& scheme,
                              const at::Tensor& weight,
                              const at::Tensor& importance) = nullptr;
};

/// Plain ATen, every entry filled, any device. The definition of right.
const KernelTable& reference_kernels();

/// Highway, dispatched at run time to the best instruction set of the processor.
const KernelTable& cpu_kernels();

/// The instruction set that the CPU kernels use here, as Highway names it: "AVX3", "AVX2", …
std::string cpu_instruction_set();

}  // namespace oneshot::kernels
