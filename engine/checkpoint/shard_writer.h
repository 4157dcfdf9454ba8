// Writes the output's weight files at the offsets of its layout, from many threads at once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/checkpoint/file_io.h"
#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/output_layout.h"

namespace oneshot {

/// All functions but finish() may be called from many threads at once. They throw Resource when
/// the disk is full, Failed naming the file when writing fails, Failed for a range outside of the
/// tensor (a bug of the caller).
class ShardWriter {
 public:
  /// Creates the files, writes their headers and reserves the space of all of them, so that a disk
  /// that is too small is found before any work is done.
  /// folder: exists and holds none of the files yet.
  ShardWriter(const std::filesystem::path& folder, const OutputLayout& layout);

  /// offset_in_tensor: bytes from the start of the tensor.
  void write(const OutputTensor& tensor,
             uint64_t offset_in_tensor,
             std::span<const std::byte> bytes);

  /// A rectangle of elements of a 2-D tensor. piece: its rows one after the other. One write when
  /// it spans all columns, else one a row.
  void write_2d(const OutputTensor& tensor,
                int64_t row,
                int64_t column,
                int64_t rows,
                int64_t columns,
                std::span<const std::byte> piece);

  /// Bytes of the tensor from a file, through the kernel where it can.
  /// Offsets in bytes: from the start of the tensor, and of the source.
  /// throws Checkpoint when the source cannot be read.
  void copy(const OutputTensor& tensor,
            uint64_t offset_in_tensor,
            const InputFile& source,
            uint64_t source_offset,
            uint64_t bytes);

  /// Brings everything to disk and closes the files. Call once, when no other call is running.
  void finish();

 private:
  struct Shard {
    std::filesystem::path path;
    FileDescriptor file;
    std::atomic<uint64_t> written{0};  // bytes
  };

  void reserve(Shard& shard, uint64_t bytes) const;
  Shard& shard_of(const OutputTensor& tensor, uint64_t offset, uint64_t bytes);
  static void start_write_back(Shard& shard, uint64_t bytes);

  std::filesystem::path folder_;
  uint64_t total_bytes_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace oneshot
