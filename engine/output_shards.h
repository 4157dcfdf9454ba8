// The weight files of one output, as a format and the stream see them.
#pragma once

#include <filesystem>
#include <string>

#include "engine/checkpoint/output_bands.h"
#include "engine/checkpoint/shard_writer.h"
#include "engine/format.h"

namespace oneshot {

/// Thread safe, but for `finish`.
class OutputShards : public OutputTensors {
 public:
  /// Creates the files and reserves their space. folder: exists. output: outlives this.
  /// band_bytes: of a tensor whose columns are gathered.
  OutputShards(const PlannedOutput& output,
               const std::filesystem::path& folder,
               uint64_t band_bytes);

  /// What a format encoded. throws Failed when it is not what the format announced.
  void put(const std::string& name, const at::Tensor& piece, int64_t row, int64_t column) override;

  /// Values of a tensor that is not quantized, from element `first_element` on.
  void put_kept(const std::string& name, const at::Tensor& values, int64_t first_element);

  /// Bytes of a tensor that stays as it is, from its place in the source.
  void copy(const SourceTensor& tensor, const InputFile& file, uint64_t first_byte, uint64_t bytes);

  /// Brings the files to disk. throws Failed when a format did not write all of a tensor.
  void finish();

  const Format& format() const { return *output_.format; }

 private:
  const OutputTensor& target(const std::string& name, Dtype dtype) const;

  const PlannedOutput& output_;
  ShardWriter writer_;
  OutputBands bands_;
};

}  // namespace oneshot
