// The CPU's kernel table, and the way from tensors to the plain pointers of its kernels.
#include "engine/kernels/cpu/cpu_kernels.h"

#include <ATen/ATen.h>
#include <hwy/highway.h>

#include "engine/kernels/cpu/tuning_kernels.h"
#include "engine/kernels/kernel_table.h"

namespace oneshot::kernels {
namespace cpu {

Storage storage_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kBFloat16:
      return Storage::BFloat16;
    case at::kHalf:
      return Storage::Float16;
    default:
      return Storage::Float32;
  }
}

Groups groups_of(const at::Tensor& weight, int64_t group_size) {
  return {.weight = weight.const_data_ptr(),
          .storage = storage_of(weight),
          .rows = static_cast<size_t>(weight.size(0)),
          .columns = static_cast<size_t>(weight.size(1)),
          .group_size = static_cast<size_t>(group_size)};
}

EncodeJob encode_job(const at::Tensor& weight,
                     const at::Tensor& scale,
                     int64_t group_size,
                     const at::Tensor& codes) {
  return {.in = groups_of(weight, group_size),
          .scale = scale.const_data_ptr(),
          .scale_storage = storage_of(scale),
          .zero_point = nullptr,
          .codes = static_cast<uint8_t*>(codes.mutable_data_ptr())};
}

}  // namespace cpu

const KernelTable& cpu_kernels() {
  static constexpr KernelTable kTable = {
      .device = "cpu",
      .group_absmax = cpu::group_absmax,
      .group_range = cpu::group_range,
      .encode_int = cpu::encode_int,
      .encode_fp8 = cpu::encode_fp8,
      .encode_fp4 = cpu::encode_fp4,
      .pack_int = cpu::pack_int,
      .pack_nibbles = cpu::pack_nibbles,
      .rms_norm = cpu::rms_norm,
      .silu_multiply = cpu::silu_multiply,
      .rotate_heads = cpu::rotate_heads,
      .rms_norm_backward = cpu::rms_norm_backward,
      .silu_multiply_backward = cpu::silu_multiply_backward,
      .rotate_heads_backward = cpu::rotate_heads_backward,
      .causal_softmax = cpu::causal_softmax,
      .causal_softmax_backward = cpu::causal_softmax_backward,
      .squared_errors = cpu::squared_errors,
      .round_tuned = cpu::round_tuned,
      .sign_step = cpu::sign_step,
      .search_scales = cpu::search_scales,
  };
  return kTable;
}

std::string cpu_instruction_set() {
  const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(targets & -targets);  // the lowest bit is the best one
}

}  // namespace oneshot::kernels
