// The safetensors container: 8 bytes of header length (little endian), a header in JSON, the data.
// Source: the safetensors library (github.com/huggingface/safetensors), whose files we write byte
// for byte; we read more strictly than it does.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/quant/dtype.h"

namespace oneshot {

class InputFile;

/// The longest header that the library reads, in bytes.
constexpr uint64_t kLongestHeaderBytes = 100'000'000;

struct TensorInfo {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
  uint64_t begin;  // bytes from the start of the data section
  uint64_t bytes;
};

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;              // by begin; empty tensors first, then by name
  std::map<std::string, std::string> metadata;  // of "__metadata__"
  uint64_t data_begin;                          // bytes from the start of the file
};

/// Reads and checks a header: every byte of the data belongs to exactly one tensor of the right
/// size. Allocates no more than a small multiple of the header's length, whatever it claims.
/// header_json: without the 8 length bytes · file_size: bytes of the whole file · file: its name in
/// messages. throws Checkpoint naming the file and the tensor.
SafetensorsHeader parse_safetensors_header(std::string_view header_json,
                                           uint64_t file_size,
                                           const std::string& file);

/// The same from a file, with its length bytes.
SafetensorsHeader read_safetensors_header(const InputFile& file);

/// Length bytes and JSON without spaces, padded with 0x20 to a multiple of 8: what the library
/// writes for these tensors in this order. Without metadata, no "__metadata__".
std::string serialize_safetensors_header(const std::vector<TensorInfo>& tensors,
                                         const std::map<std::string, std::string>& metadata = {
                                             {"format", "pt"}});

/// Bytes of a tensor; nothing when a size is negative, the product exceeds 64 bits, or the bits of
/// a narrow dtype are no whole bytes.
std::optional<uint64_t> tensor_bytes(Dtype dtype, const std::vector<int64_t>& shape);

/// "BF16 [1024,256]", for messages.
std::string describe_tensor(Dtype dtype, const std::vector<int64_t>& shape);

}  // namespace oneshot
