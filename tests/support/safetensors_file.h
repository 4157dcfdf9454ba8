// Builds the bytes of small safetensors files, right and wrong ones.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oneshot {

inline std::string length_bytes(uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) {
    bytes += static_cast<char>(length >> (8 * i));
  }
  return bytes;
}

inline std::string safetensors_bytes(std::string_view json, std::string_view data) {
  return length_bytes(json.size()) + std::string(json) + std::string(data);
}

/// A file of one U8 tensor of two bytes for each name, the bytes counting from 'a'.
inline std::string weights_named(const std::vector<std::string>& names) {
  std::string json = "{";
  std::string data;
  for (const std::string& name : names) {
    std::string begin = std::to_string(data.size());
    data += static_cast<char>('a' + data.size());
    data += static_cast<char>('a' + data.size());
    json += (json.size() > 1 ? ",\"" : "\"") + name + R"(":{"dtype":"U8","shape":[2],)" +
            R"("data_offsets":[)" + begin + "," + std::to_string(data.size()) + "]}";
  }
  return safetensors_bytes(json + "}", data);
}

}  // namespace oneshot
