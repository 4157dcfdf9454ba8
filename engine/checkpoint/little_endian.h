// Numbers as zip, pickle and safetensors store them.
#pragma once

#include <cstdint>
#include <string_view>

namespace oneshot {

/// The unsigned number in at most 8 bytes, the lowest first.
inline uint64_t little_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    number |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return number;
}

}  // namespace oneshot
