// The results of tuning on the disk, a file for each block, so that a run that was cut off goes on
// behind its last block, and codes need no memory until they are written.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/quant/dtype.h"
#include "engine/tuned_block.h"

namespace oneshot {

/// Reading is for many threads at once.
class TunedBlocks {
 public:
  /// Opens what is in the folder already. throws Checkpoint for a damaged file.
  explicit TunedBlocks(std::filesystem::path folder);

  /// Writes a block and returns when it is on the disk. throws Resource, Failed.
  void save(const TunedBlock& block);

  bool has(const std::string& block) const { return blocks_.contains(block); }
  /// Without its weights.
  const TunedBlock& outcome(const std::string& block) const { return blocks_.at(block); }
  /// All of them without their weights, in the order in which they were tuned.
  std::vector<const TunedBlock*> in_order() const;

  bool has_module(const std::string& module) const { return modules_.contains(module); }
  /// Rows of a module's codes, with their scales. scheme: that it was quantized with.
  QuantizedWeight rows(const std::string& module,
                       const Scheme& scheme,
                       int64_t first,
                       int64_t count) const;
  /// The whole weight.
  QuantizedWeight whole(const std::string& module, const Scheme& scheme) const;

 private:
  struct Place {
    std::shared_ptr<InputFile> file;
    uint64_t offset = 0;  // of its first byte in the file
    Dtype dtype = Dtype::I8;
    std::vector<int64_t> shape;
  };
  using Parts = std::map<std::string, Place>;  // by "codes", "scale", …

  void open(const std::filesystem::path& file);
  void open_checked(const std::filesystem::path& file);
  static at::Tensor read(const Place& place, int64_t first, int64_t count);

  std::filesystem::path folder_;
  std::map<std::string, TunedBlock> blocks_;
  std::map<std::string, Parts> modules_;
};

}  // namespace oneshot
