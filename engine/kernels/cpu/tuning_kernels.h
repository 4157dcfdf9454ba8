// The entries of tuning in the CPU's kernel table, and what they hand to the parts that are
// compiled once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/tuning.h"

namespace oneshot::kernels::cpu {

void round_tuned(const TunedScheme& scheme, const TunedWeight& weight, RoundedWeight& out);
void sign_step(const TunedScheme& scheme,
               const TunedWeight& weight,
               const at::Tensor& gradient,
               float rate,
               float factor_rate);
at::Tensor search_scales(const TunedScheme& scheme,
                         const at::Tensor& weight,
                         const at::Tensor& importance);

/// A tuned weight. Per group: [rows, groups].
struct TuneJob {
  Groups in;
  TunedCodes codes;
  float half, levels;      // 2^(bits−1), 2^bits − 1
  const float *min, *max;  // per group
  const float* start;      // per group, or null
  float* rounding;         // [rows, columns]
  float *min_factor, *max_factor;
};
TuneJob tune_job(const TunedScheme& scheme, const TunedWeight& weight);

/// What round_tuned writes; null is not wanted.
struct RoundJob {
  TuneJob tuned;
  Storage storage;      // of the values
  void* values;         // [rows, columns]
  uint8_t* codes;       // [rows, columns]
  void* scale;          // per group: float16, Mx: uint8
  uint8_t* zero_point;  // per group
};

struct StepJob {
  TuneJob tuned;
  Storage storage;       // of the gradient
  const void* gradient;  // [rows, columns]
  float rate, factor_rate, factor_limit;
};

struct SearchJob {
  Groups in;
  int bits;
  const float* importance;  // [columns]
  float* scale;             // [rows, groups]
};

}  // namespace oneshot::kernels::cpu
