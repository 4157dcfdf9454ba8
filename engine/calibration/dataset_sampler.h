// Takes samples from one dataset, row by row, as many as are needed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/calibration/calibration_data.h"
#include "engine/calibration/row_tokenizer.h"

namespace oneshot {

/// Refers to what it was made from, which must outlive it.
class DatasetSampler {
 public:
  /// Opens the dataset. throws what DatasetFile throws.
  DatasetSampler(const DatasetRequest& dataset,
                 const CalibrationRequest& request,
                 RowTokenizer& tokenizer);

  /// Takes `count` more samples, fewer only when the dataset ends; how many it took.
  int64_t take(int64_t count);

  const std::vector<std::vector<int32_t>>& samples() const { return samples_; }
  const DatasetRequest& dataset() const { return dataset_; }
  const RowCounts& counts() const { return counts_; }
  const std::vector<std::string>& warnings() const { return file_.warnings(); }

 private:
  std::optional<std::vector<int32_t>> next_row(int64_t longest);
  std::optional<std::vector<int32_t>> next_sample();
  std::optional<std::vector<int32_t>> next_window();
  bool is_repetitive(const std::vector<int32_t>& ids) const;

  const DatasetRequest& dataset_;
  const CalibrationRequest& request_;
  RowTokenizer& tokenizer_;
  DatasetFile file_;
  std::vector<int64_t> order_;  // of the rows
  size_t position_ = 0;         // in the order
  std::optional<int32_t> separator_;
  std::vector<int32_t> stream_;  // Pack: tokens of rows that were read
  size_t stream_position_ = 0;
  std::vector<std::vector<int32_t>> samples_;
  RowCounts counts_;
};

}  // namespace oneshot
