// A file or folder of calibration data as a list of rows, found in it without being held in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/calibration/json_row.h"
#include "engine/calibration/row_scanner.h"
#include "engine/checkpoint/input_file.h"

namespace oneshot {

/// How a dataset is written. Auto: by the end of its name; a .json that begins with no list is read
/// as JSON lines when more than one value stands in it.
enum class DatasetFormat { Auto, Json, JsonLines, Text };

/// The rows of a dataset:
/// - JSON lines: one a line, empty lines aside;
/// - JSON: the items of a list, or of the only list in an object that holds nothing else;
/// - text: the whole file is one row, a folder has one for each .txt and .md file in it, by name.
/// The syntax of every JSON row is checked when the dataset is opened.
class DatasetFile {
 public:
  /// throws Checkpoint when the file is missing, empty or damaged, with file:line;
  /// Unsupported for a kind of file that is not read here, saying how to convert it;
  /// Recipe, beginning with `where`, for a name that tells no format.
  DatasetFile(const std::filesystem::path& path, DatasetFormat format, const std::string& where);

  int64_t size() const { return static_cast<int64_t>(is_text() ? texts_.size() : rows_.size()); }
  bool is_text() const { return !texts_.empty(); }

  /// The bytes of a row: JSON, or a text in valid UTF-8 without its byte order mark.
  /// throws Checkpoint for a text that is none, with file:line.
  std::string row(int64_t index) const;

  /// Where a row stands: "calibration.jsonl:12", "novels/emma.txt".
  RowPlace place(int64_t index) const;

  const std::filesystem::path& path() const { return path_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  void open_folder();
  void open_json(DatasetFormat format);

  std::filesystem::path path_;
  std::unique_ptr<InputFile> file_;           // of JSON
  std::vector<std::filesystem::path> texts_;  // of rows of text
  std::vector<RowSpan> rows_;
  std::vector<std::string> warnings_;
};

}  // namespace oneshot
