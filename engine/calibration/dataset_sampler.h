// Takes samples from one dataset, row by row, as many as are needed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "engine/calibration/calibration_data.h"
#include "engine/calibration/row_tokenizer.h"

namespace oneshot {

/// A row of the calibration data.
struct Sample {
  std::vector<int32_t> ids;
  std::vector<std::filesystem::path> images;
};

/// Refers to what it was made from, which must outlive it.
class DatasetSampler {
 public:
  /// Opens the dataset; `images` may be null. throws what DatasetFile and DatasetImages throw.
  DatasetSampler(const DatasetRequest& dataset,
                 const CalibrationRequest& request,
                 RowTokenizer& tokenizer,
                 const ImageReader* images);

  /// Takes `count` more samples, fewer only when the dataset ends; how many it took.
  int64_t take(int64_t count);

  const std::vector<Sample>& samples() const { return samples_; }
  const DatasetRequest& dataset() const { return dataset_; }
  const RowCounts& counts() const { return counts_; }
  const ImageFailures& image_failures() const { return images_.failures(); }
  const std::vector<std::string>& warnings() const { return file_.warnings(); }

 private:
  std::optional<Sample> next_row(int64_t longest);
  std::optional<Sample> next_sample();
  std::optional<Sample> next_window();
  void refuse_images(const Conversation& conversation, const RowPlace& place) const;
  bool is_repetitive(const std::vector<int32_t>& ids) const;

  const DatasetRequest& dataset_;
  const CalibrationRequest& request_;
  RowTokenizer& tokenizer_;
  DatasetFile file_;
  DatasetImages images_;
  bool reads_images_ = false;
  std::vector<int64_t> order_;  // of the rows
  size_t position_ = 0;         // in the order
  std::optional<int32_t> separator_;
  std::vector<int32_t> stream_;  // Pack: tokens of rows that were read
  size_t stream_position_ = 0;
  std::vector<Sample> samples_;
  RowCounts counts_;
};

}  // namespace oneshot
