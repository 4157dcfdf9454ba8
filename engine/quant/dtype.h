// Element types of the safetensors container. Knows no ATen.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace oneshot {

/// Every dtype of the safetensors format, in the container's own order of rank (a file lists its
/// tensors by falling rank, then by name). Source: the Dtype enum of the safetensors library.
enum class Dtype : uint8_t {
  Bool,
  F4,
  F6E2M3,
  F6E3M2,
  U8,
  I8,
  F8E5M2,
  F8E4M3,
  F8E8M0,
  F8E4M3Fnuz,
  F8E5M2Fnuz,
  I16,
  U16,
  F16,
  Bf16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64,
};

/// Name in a safetensors header: "BF16", "F8_E4M3", …
std::string_view dtype_name(Dtype dtype);

/// The dtype of a header name; nothing when the name is unknown.
std::optional<Dtype> dtype_from_name(std::string_view name);

/// Width of one element in bits: 4, 6, 8, 16, 32 or 64.
int dtype_bits(Dtype dtype);

/// True for F64, F32, F16 and BF16: what a `model.dtype` cast applies to.
bool is_plain_float(Dtype dtype);

}  // namespace oneshot
