// The entries of the CPU's kernel table, and what they hand to the parts that are compiled once
// per instruction set. All of them work on one thread: the callers share out rows.
#pragma once

#include <cstddef>
#include <cstdint>

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

}  // namespace oneshot::kernels::cpu
