// A checkpoint of any kind, quantized or not, opened to be read back.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/vision_tower.h"
#include "engine/format.h"

namespace oneshot {

struct WrittenFile {
  std::string name;  // as SourceWeights names it
  uint64_t bytes;
};

/// Headers are read and checked when it is opened; values when they are asked for.
class WrittenCheckpoint : public TensorSource {
 public:
  /// throws Checkpoint when the folder, config.json, the index or a weight file is missing or
  /// damaged.
  /// vision_tower: as for SourceCheckpoint.
  explicit WrittenCheckpoint(const std::filesystem::path& folder,
                             const std::filesystem::path& vision_tower = {});

  const nlohmann::json& config() const { return config_; }
  const std::vector<WrittenFile>& files() const { return written_; }
  /// In the order of files and offsets.
  const std::vector<TensorSpec>& tensors() const { return specs_; }

  /// Of the vision tower that is a checkpoint of its own; null without one.
  const nlohmann::json* tower_config() const { return tower_ ? &tower_->config : nullptr; }
  /// Empty without one.
  std::filesystem::path tower_folder() const { return tower_ ? tower_->folder : ""; }

  std::optional<TensorSpec> spec(const std::string& name) const override;
  at::Tensor read(const std::string& name) const override;
  /// Gives back the memory of a tensor that was read; its values stay valid.
  void release(const std::string& name) const;

 private:
  struct Place {
    size_t spec, file;
    uint64_t offset;
  };

  void add_file(const std::filesystem::path& path, const std::string& name, bool in_tower);

  nlohmann::json config_;
  std::unique_ptr<const TowerCheckpoint> tower_;  // null: there is none
  std::vector<WrittenFile> written_;
  std::vector<std::unique_ptr<InputFile>> files_;
  std::vector<TensorSpec> specs_;
  std::unordered_map<std::string, Place> places_;
};

}  // namespace oneshot
