// Any header is parsed or refused with an Error; what is parsed is written and parsed again as the
// same. Input: one byte of data size, then the header.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"

namespace {

void check(bool claim) {
  if (!claim) {
    std::abort();
  }
}

void check_round_trip(const oneshot::SafetensorsHeader& header, uint64_t data_bytes) {
  std::string bytes = oneshot::serialize_safetensors_header(header.tensors, header.metadata);
  oneshot::SafetensorsHeader again = oneshot::parse_safetensors_header(
      std::string_view(bytes).substr(8), bytes.size() + data_bytes, "fuzz");
  check(again.metadata == header.metadata);
  check(again.tensors.size() == header.tensors.size());
  uint64_t covered = 0;
  for (size_t i = 0; i < header.tensors.size(); ++i) {
    const oneshot::TensorInfo& tensor = header.tensors[i];
    check(tensor.begin == covered && tensor.name == again.tensors[i].name);
    check(tensor.dtype == again.tensors[i].dtype && tensor.shape == again.tensors[i].shape);
    covered += tensor.bytes;
  }
  check(covered == data_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  uint64_t data_bytes = data[0];
  std::string_view json(reinterpret_cast<const char*>(data + 1), size - 1);
  oneshot::SafetensorsHeader header;
  try {
    header = oneshot::parse_safetensors_header(json, 8 + json.size() + data_bytes, "fuzz");
  } catch (const oneshot::Error&) {
    return 0;
  }
  check_round_trip(header, data_bytes);
  return 0;
}
