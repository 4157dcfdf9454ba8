#include "engine/tensor_bytes.h"

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "engine/error.h"

namespace oneshot {
namespace {

constexpr std::array<std::pair<Dtype, at::ScalarType>, 19> kTypes{{
    {Dtype::Bool, at::kBool},
    {Dtype::U8, at::kByte},
    {Dtype::I8, at::kChar},
    {Dtype::F8E5M2, at::kFloat8_e5m2},
    {Dtype::F8E4M3, at::kFloat8_e4m3fn},
    {Dtype::F8E8M0, at::kFloat8_e8m0fnu},
    {Dtype::F8E4M3Fnuz, at::kFloat8_e4m3fnuz},
    {Dtype::F8E5M2Fnuz, at::kFloat8_e5m2fnuz},
    {Dtype::I16, at::kShort},
    {Dtype::U16, at::kUInt16},
    {Dtype::F16, at::kHalf},
    {Dtype::Bf16, at::kBFloat16},
    {Dtype::I32, at::kInt},
    {Dtype::U32, at::kUInt32},
    {Dtype::F32, at::kFloat},
    {Dtype::C64, at::kComplexFloat},
    {Dtype::F64, at::kDouble},
    {Dtype::I64, at::kLong},
    {Dtype::U64, at::kUInt64},
}};

}  // namespace

at::ScalarType scalar_type(Dtype dtype) {
  for (const auto& [ours, theirs] : kTypes) {
    if (ours == dtype) {
      return theirs;
    }
  }
  throw Error(ErrorCode::Unsupported, "LibTorch has no dtype " + std::string(dtype_name(dtype)));
}

Dtype container_dtype(at::ScalarType type) {
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == type) {
      return ours;
    }
  }
  throw Error(ErrorCode::Failed, std::string("safetensors has no dtype ") + c10::toString(type));
}

at::Tensor tensor_of(const std::byte* bytes, Dtype dtype, at::IntArrayRef shape) {
  const at::ScalarType type = scalar_type(dtype);
  const auto address = reinterpret_cast<std::uintptr_t>(bytes);
  if (address % c10::elementSize(type) == 0) {
    // from_blob wants a pointer that may be written through; nobody does.
    return at::from_blob(const_cast<std::byte*>(bytes), shape, type);
  }
  at::Tensor copy = at::empty(shape, type);
  std::memcpy(copy.data_ptr(), bytes, copy.nbytes());
  return copy;
}

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

}  // namespace oneshot
