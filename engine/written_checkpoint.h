// A checkpoint of any kind, quantized or not, opened to be read back.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/format.h"

namespace oneshot {

struct WrittenFile {
  std::string name;  // relative to the folder
  uint64_t bytes;
};

/// Headers are read and checked when it is opened; values when they are asked for.
class WrittenCheckpoint : public TensorSource {
 public:
  /// throws Checkpoint when the folder, config.json, the index or a weight file is missing or
  /// damaged.
  explicit WrittenCheckpoint(const std::filesystem::path& folder);

  const nlohmann::json& config() const { return config_; }
  const std::vector<WrittenFile>& files() const { return written_; }
  /// In the order of files and offsets.
  const std::vector<TensorSpec>& tensors() const { return specs_; }

  std::optional<TensorSpec> spec(const std::string& name) const override;
  at::Tensor read(const std::string& name) const override;
  /// Gives back the memory of a tensor that was read; its values stay valid.
  void release(const std::string& name) const;

 private:
  struct Place {
    size_t spec, file;
    uint64_t offset;
  };

  nlohmann::json config_;
  std::vector<WrittenFile> written_;
  std::vector<std::unique_ptr<InputFile>> files_;
  std::vector<TensorSpec> specs_;
  std::unordered_map<std::string, Place> places_;
};

}  // namespace oneshot
