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
#include "engine/checkpoint/vision_tower.h"
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
  std::string name;           // relative to the folder; of a tower elsewhere see vision_tower.h
  uint64_t size;              // bytes
  std::string header_sha256;  // of what it holds beside the data, see weight_header.h
};

/// A Hugging Face checkpoint in a folder. Reads headers only; weights are fetched from file().
class SourceCheckpoint {
 public:
  /// throws Checkpoint when the folder, config.json, the index or a weight file is missing or
  /// damaged; Unsupported when the checkpoint is quantized already, or as read_torch_header.
  /// vision_tower: folder of the tower, where it is a checkpoint of its own and not inside this
  /// one. A checkpoint that holds its tower's tensors keeps to those.
  explicit SourceCheckpoint(const std::filesystem::path& folder,
                            const std::filesystem::path& vision_tower = {});

  const std::filesystem::path& folder() const { return folder_; }
  const nlohmann::json& config() const { return config_; }
  /// Weight files in name order, in each by offset; those of a tower of its own last.
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
  /// Those of copied_files() that are weights of the tower inside this folder.
  const std::vector<std::string>& tower_weight_files() const { return tower_weight_files_; }

  /// Of the vision tower that is a checkpoint of its own; null without one.
  const nlohmann::json* tower_config() const { return tower_ ? &tower_->config : nullptr; }
  /// Empty without one.
  std::filesystem::path tower_folder() const { return tower_ ? tower_->folder : ""; }
  bool is_tower_inside() const { return tower_ && !tower_->inside.empty(); }
  /// True when a tensor lies in the files of that tower.
  bool is_in_tower(const SourceTensor& tensor) const { return tensor.file >= first_tower_file_; }

 private:
  void open_weights(const std::filesystem::path& path, const std::string& name, bool in_tower);
  void open_tower();
  void fill_names();

  std::filesystem::path folder_;
  nlohmann::json config_;
  std::vector<std::unique_ptr<InputFile>> files_;
  std::vector<SourceWeights> weight_files_;
  std::vector<SourceTensor> tensors_;
  std::unordered_map<std::string_view, size_t> by_name_;  // into tensors_, whose names it views
  std::vector<std::string> copied_files_;
  std::vector<std::string> left_out_files_;
  std::vector<std::string> tower_weight_files_;
  std::unique_ptr<const TowerCheckpoint> tower_;  // null: there is none
  size_t first_tower_file_ = 0;                   // index into weight_files_
};

}  // namespace oneshot
