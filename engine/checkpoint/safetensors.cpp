#include "engine/checkpoint/safetensors.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/little_endian.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"

namespace oneshot {
namespace {

constexpr uint64_t kLengthBytes = 8;

std::string json_string(const std::string& text) {
  return nlohmann::json(text).dump();
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(shape[i]);
  }
  return text + "]";
}

[[noreturn]] void throw_damaged(const InputFile& file, const std::string& what) {
  throw Error(ErrorCode::Checkpoint,
              one_line(file.path().string()) + ": " + what + "; the file is damaged, get it again");
}

}  // namespace

std::optional<uint64_t> tensor_bytes(Dtype dtype, const std::vector<int64_t>& shape) {
  uint64_t bits = 1;
  for (int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bits, static_cast<uint64_t>(size), &bits)) {
      return std::nullopt;
    }
  }
  if (__builtin_mul_overflow(bits, static_cast<uint64_t>(dtype_bits(dtype)), &bits) ||
      bits % 8 != 0) {
    return std::nullopt;
  }
  return bits / 8;
}

std::string describe_tensor(Dtype dtype, const std::vector<int64_t>& shape) {
  return std::string(dtype_name(dtype)) + " " + shape_text(shape);
}

SafetensorsHeader read_safetensors_header(const InputFile& file) {
  if (file.size() < kLengthBytes) {
    throw_damaged(file, std::to_string(file.size()) + " bytes are no safetensors file");
  }
  std::vector<std::byte> scratch;
  const std::byte* first = file.fetch(0, kLengthBytes, scratch);
  uint64_t length = little_endian({reinterpret_cast<const char*>(first), kLengthBytes});
  if (length > kLongestHeaderBytes) {
    throw_damaged(
        file,
        "the header claims " + std::to_string(length) + " bytes, safetensors allows 100000000");
  }
  if (length > file.size() - kLengthBytes) {
    throw_damaged(file,
                  "the header claims " + std::to_string(length) + " bytes, the file has " +
                      std::to_string(file.size()));
  }
  const std::byte* json = file.fetch(kLengthBytes, length, scratch);
  std::string_view text(reinterpret_cast<const char*>(json), length);
  SafetensorsHeader header = parse_safetensors_header(text, file.size(), file.path().string());
  file.release(0, kLengthBytes + length);
  return header;
}

std::string serialize_safetensors_header(const std::vector<TensorInfo>& tensors,
                                         const std::map<std::string, std::string>& metadata) {
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":" + nlohmann::json(metadata).dump();
  }
  for (const TensorInfo& tensor : tensors) {
    json += json.size() == 1 ? "" : ",";
    json += json_string(tensor.name) + ":{\"dtype\":\"" + std::string(dtype_name(tensor.dtype)) +
            "\",\"shape\":" + shape_text(tensor.shape) + ",\"data_offsets\":[" +
            std::to_string(tensor.begin) + "," + std::to_string(tensor.begin + tensor.bytes) + "]}";
  }
  json += "}";
  json.append((8 - json.size() % 8) % 8, ' ');
  std::string length;
  for (uint64_t i = 0; i < kLengthBytes; ++i) {
    length += static_cast<char>(json.size() >> (8 * i));
  }
  return length + json;
}

}  // namespace oneshot
