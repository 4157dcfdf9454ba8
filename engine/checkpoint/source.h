// A checkpoint that is quantized: its config, its tensors where they lie, its other files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/quant/dtype.h"

namespace oneshot {

struct SourceTensor {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
  size_t file;      // index into weight_files()
  uint64_t offset;  // bytes from the start of its file
  uint64_t bytes;
};

struct SourceWeights {
  std::string name;           // relative to the folder
  uint64_t size;              // bytes
  std::string header_sha256;  // of what it holds beside the data, see weight_header.h
};

/// A Hugging Face checkpoint in a folder. Reads headers only; weights are fetched from file().
class SourceCheckpoint {
 public:
  /// throws Checkpoint when the folder, config.json, the index or a weight file is missing or
  /// damaged; Unsupported when the checkpoint is quantized already, or as read_torch_header.
  explicit SourceCheckpoint(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  const nlohmann::json& config() const { return config_; }
  /// Weight files in name order, in each by offset.
  const std::vector<SourceTensor>& tensors() const { return tensors_; }
  /// Null when there is no such tensor.
  const SourceTensor* find(std::string_view name) const;
  const std::vector<SourceWeights>& weight_files() const { return weight_files_; }
  const InputFile& file(size_t index) const { return *files_.at(index); }
  /// Relative paths, sorted, of what goes into the output byte for byte.
  const std::vector<std::string>& copied_files() const { return copied_files_; }
  /// Relative paths, sorted, of what does not and is neither read nor written anew; a folder ends
  /// in '/'. The rules are in source_files.h.
  const std::vector<std::string>& left_out_files() const { return left_out_files_; }

 private:
  void open_weights(const std::string& name);

  std::filesystem::path folder_;
  nlohmann::json config_;
  std::vector<std::unique_ptr<InputFile>> files_;
  std::vector<SourceWeights> weight_files_;
  std::vector<SourceTensor> tensors_;
  std::unordered_map<std::string_view, size_t> by_name_;  // into tensors_, whose names it views
  std::vector<std::string> copied_files_;
  std::vector<std::string> left_out_files_;
};

}  // namespace oneshot
