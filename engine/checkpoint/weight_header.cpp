#include "engine/checkpoint/weight_header.h"

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/sha256.h"
#include "engine/checkpoint/torch_file.h"

namespace oneshot {

WeightHeader read_weight_header(const InputFile& file) {
  if (file.path().extension() == ".bin") {
    return read_torch_header(file);
  }
  SafetensorsHeader header = read_safetensors_header(file);
  std::vector<std::byte> scratch;
  const std::byte* bytes = file.fetch(0, header.data_begin, scratch);
  std::string sha256 = sha256_hex({reinterpret_cast<const char*>(bytes), header.data_begin});
  file.release(0, header.data_begin);
  for (TensorInfo& tensor : header.tensors) {
    tensor.begin += header.data_begin;
  }
  return {std::move(header.tensors), std::move(sha256)};
}

}  // namespace oneshot
