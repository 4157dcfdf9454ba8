#include "engine/quant/dtype.h"

#include <array>

namespace oneshot {
namespace {

struct Row {
  Dtype dtype;
  std::string_view name;
  int bits;
};

// In the order of the enum, so that a dtype is its own index.
constexpr std::array<Row, 22> kDtypes{{
    {Dtype::Bool, "BOOL", 8},
    {Dtype::F4, "F4", 4},
    {Dtype::F6E2M3, "F6_E2M3", 6},
    {Dtype::F6E3M2, "F6_E3M2", 6},
    {Dtype::U8, "U8", 8},
    {Dtype::I8, "I8", 8},
    {Dtype::F8E5M2, "F8_E5M2", 8},
    {Dtype::F8E4M3, "F8_E4M3", 8},
    {Dtype::F8E8M0, "F8_E8M0", 8},
    {Dtype::F8E4M3Fnuz, "F8_E4M3FNUZ", 8},
    {Dtype::F8E5M2Fnuz, "F8_E5M2FNUZ", 8},
    {Dtype::I16, "I16", 16},
    {Dtype::U16, "U16", 16},
    {Dtype::F16, "F16", 16},
    {Dtype::Bf16, "BF16", 16},
    {Dtype::I32, "I32", 32},
    {Dtype::U32, "U32", 32},
    {Dtype::F32, "F32", 32},
    {Dtype::C64, "C64", 64},
    {Dtype::F64, "F64", 64},
    {Dtype::I64, "I64", 64},
    {Dtype::U64, "U64", 64},
}};

}  // namespace

std::string_view dtype_name(Dtype dtype) {
  return kDtypes[static_cast<size_t>(dtype)].name;
}

std::optional<Dtype> dtype_from_name(std::string_view name) {
  for (const Row& row : kDtypes) {
    if (row.name == name) {
      return row.dtype;
    }
  }
  return std::nullopt;
}

int dtype_bits(Dtype dtype) {
  return kDtypes[static_cast<size_t>(dtype)].bits;
}

bool is_plain_float(Dtype dtype) {
  return dtype == Dtype::F64 || dtype == Dtype::F32 || dtype == Dtype::F16 || dtype == Dtype::Bf16;
}

}  // namespace oneshot
