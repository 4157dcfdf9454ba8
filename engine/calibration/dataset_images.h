// The image files of a dataset's rows: where they lie, and which are missing or broken.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/calibration/json_row.h"
#include "engine/vision/image_reader.h"

namespace oneshot {

/// The images of one row, in its order.
struct RowImages {
  std::vector<std::filesystem::path> files;
  std::vector<int64_t> tokens;  // that each takes up in the text
};

/// Images that were not there or could not be read, and so cost their row.
struct ImageFailures {
  static constexpr size_t kMostNamed = 5;

  int64_t missing = 0;
  int64_t broken = 0;
  std::vector<std::string> first;  // of all, in words, at most kMostNamed
};

ImageFailures& operator+=(ImageFailures& sum, const ImageFailures& more);

/// Refers to the reader, which must outlive it.
class DatasetImages {
 public:
  /// `extra_data_dir`: where paths start from; nothing: only the dataset's own folder.
  /// throws Checkpoint when it is no folder.
  DatasetImages(const std::optional<std::filesystem::path>& extra_data_dir,
                const std::filesystem::path& dataset,
                const ImageReader* reader);

  /// Finds each path below extra_data_dir as it is written, then by its bare file name, then from
  /// the dataset's folder as it is written. Nothing when one of them is missing or broken, which
  /// failures() then tells. Nothing is fetched from the net.
  std::optional<RowImages> find(const std::vector<std::string>& paths, const RowPlace& row);

  const ImageFailures& failures() const { return failures_; }

 private:
  std::optional<std::filesystem::path> file_of(const std::string& path) const;
  void note(const RowPlace& row, const std::string& what);

  std::optional<std::filesystem::path> extra_data_dir_;
  std::filesystem::path folder_;  // of the dataset
  const ImageReader* reader_;
  ImageFailures failures_;
};

}  // namespace oneshot
