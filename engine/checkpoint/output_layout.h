// Where every byte of the output's weights lies, known before a weight is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/quant/dtype.h"

namespace oneshot {

/// A tensor that will be written.
struct TensorSpec {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;

  /// throws Failed when the shape is no whole number of bytes below 2^61.
  uint64_t bytes() const;
};

struct OutputTensor {
  TensorSpec spec;
  size_t shard;     // index into shards()
  uint64_t offset;  // bytes from the start of its file
};

struct OutputShard {
  std::string file;    // name in the output folder
  std::string header;  // the first bytes of the file: length bytes and JSON
  uint64_t bytes;      // of the whole file
};

/// Splits tensors over files as huggingface_hub does and orders each file as the safetensors
/// library does: by falling rank of the dtype, then by name.
class OutputLayout {
 public:
  /// Fills a file until the next tensor would bring its data above `shard_size` bytes; a tensor
  /// larger than that gets a file of its own, and the file being filled goes on after it.
  /// throws Failed for a name that is empty, not UTF-8, reserved or given twice.
  OutputLayout(const std::vector<TensorSpec>& state_dict_order, uint64_t shard_size);

  /// In the order given.
  const std::vector<OutputTensor>& tensors() const { return tensors_; }
  /// Null when there is no such tensor.
  const OutputTensor* find(std::string_view name) const;
  /// One model.safetensors, or model-00001-of-0000N.safetensors and so on.
  const std::vector<OutputShard>& shards() const { return shards_; }
  /// Bytes of all shard files.
  uint64_t total_bytes() const;
  /// Text of model.safetensors.index.json; nothing when there is one file.
  std::optional<std::string> index_json() const;

 private:
  size_t assign_shards(uint64_t shard_size);
  void lay_out(size_t shard, const std::vector<size_t>& members);

  std::vector<OutputTensor> tensors_;
  std::unordered_map<std::string, size_t> by_name_;  // into tensors_
  std::vector<OutputShard> shards_;
};

}  // namespace oneshot
