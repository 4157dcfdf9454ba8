// Tensors that come in ranges of columns, gathered until they make writes of a good size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include "engine/checkpoint/shard_writer.h"

namespace oneshot {

/// Formats that transpose a weight give narrow pieces of every row of a tensor, which would be one
/// small write each. A band is as many whole columns as fit in `band_bytes`, kept in memory until
/// all of it is there. Thread safe.
class OutputBands {
 public:
  OutputBands(ShardWriter& writer, uint64_t band_bytes)
      : writer_(writer), band_bytes_(band_bytes) {}

  /// Columns `column` … of all rows of a tensor of two dimensions, whose elements are whole bytes;
  /// piece: row after row. Every column is put once.
  void put(const OutputTensor& tensor,
           int64_t column,
           int64_t columns,
           std::span<const std::byte> piece);

  /// True when nothing is waiting for the rest of its band.
  bool is_empty() const { return bands_.empty(); }

 private:
  struct Band {
    int64_t first, columns;
    std::unique_ptr<std::byte[]> bytes;  // [rows, columns]
    int64_t missing;                     // columns
  };
  using Key = std::pair<const OutputTensor*, int64_t>;  // and the number of the band

  std::unique_ptr<std::byte[]> buffer(uint64_t bytes);
  int64_t columns_per_band(const OutputTensor& tensor) const;
  std::shared_ptr<Band> band_of(const OutputTensor& tensor, int64_t number);
  void write_when_whole(const OutputTensor& tensor, int64_t number, int64_t columns);

  ShardWriter& writer_;
  uint64_t band_bytes_;
  std::mutex mutex_;
  std::map<Key, std::shared_ptr<Band>> bands_;
  std::unique_ptr<std::byte[]> spare_;  // of a band that was written, band_bytes_ large
};

}  // namespace oneshot
