#include "engine/calibration/dataset_images.h"

#include <system_error>

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}  // namespace

ImageFailures& operator+=(ImageFailures& sum, const ImageFailures& more) {
  sum.missing += more.missing;
  sum.broken += more.broken;
  for (const std::string& one : more.first) {
    if (sum.first.size() < ImageFailures::kMostNamed) {
      sum.first.push_back(one);
    }
  }
  return sum;
}

DatasetImages::DatasetImages(const std::optional<fs::path>& extra_data_dir,
                             const fs::path& dataset,
                             const ImageReader* reader)
    : extra_data_dir_(extra_data_dir), folder_(dataset.parent_path()), reader_(reader) {
  std::error_code ignored;
  if (extra_data_dir_ && !fs::is_directory(*extra_data_dir_, ignored)) {
    throw Error(ErrorCode::Checkpoint,
                one_line(extra_data_dir_->string()) +
                    ": this folder of images is not there; is `extra_data_dir` right?");
  }
}

std::optional<fs::path> DatasetImages::file_of(const std::string& path) const {
  const fs::path name = fs::path(path).filename();
  if (extra_data_dir_) {
    for (const fs::path& file : {*extra_data_dir_ / path, *extra_data_dir_ / name}) {
      if (is_file(file)) {
        return file;
      }
    }
  }
  const fs::path beside = folder_ / path;
  return is_file(beside) ? std::optional(beside) : std::nullopt;
}

void DatasetImages::note(const RowPlace& row, const std::string& what) {
  if (failures_.first.size() < ImageFailures::kMostNamed) {
    failures_.first.push_back(row.text() + ": " + what);
  }
}

std::optional<RowImages> DatasetImages::find(const std::vector<std::string>& paths,
                                             const RowPlace& row) {
  RowImages found;
  bool is_whole = true;
  for (const std::string& path : paths) {
    const auto file = file_of(path);
    if (!file) {
      ++failures_.missing;
      note(row, in_quotes(path) + " is not there");
      is_whole = false;
      continue;
    }
    try {
      found.tokens.push_back(reader_->tokens(reader_->size(*file)));
      found.files.push_back(*file);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::Checkpoint) {
        throw;
      }
      ++failures_.broken;
      note(row, error.what());
      is_whole = false;
    }
  }
  return is_whole ? std::optional(std::move(found)) : std::nullopt;
}

}  // namespace oneshot
