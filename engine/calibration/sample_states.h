// The hidden states of all calibration samples between two blocks, or what images look like.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace oneshot {

/// In memory as long as they fit a budget, else in a mapped file that is gone with this object.
class SampleStates {
 public:
  /// shapes: of each sample's states. folder: where a file would be made.
  /// throws Resource when there is no room in memory or on the disk.
  SampleStates(std::vector<std::vector<int64_t>> shapes,
               at::ScalarType dtype,
               uint64_t memory,
               const std::filesystem::path& folder);
  ~SampleStates();
  SampleStates(const SampleStates&) = delete;
  SampleStates& operator=(const SampleStates&) = delete;

  size_t size() const { return shapes_.size(); }
  bool in_file() const { return in_file_; }
  uint64_t bytes() const { return bytes_; }

  /// A view: valid as long as this object, and follows `set`.
  /// Different samples may be read and written by different threads.
  at::Tensor get(size_t sample) const;
  void set(size_t sample, const at::Tensor& states);

  /// Lets the system take the memory of a sample that is in a file.
  void release(size_t sample) const;

 private:
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<uint64_t> offsets_;  // in bytes, one more than samples
  at::ScalarType dtype_;
  uint64_t bytes_ = 0;
  bool in_file_ = false;
  void* data_ = nullptr;
};

}  // namespace oneshot
