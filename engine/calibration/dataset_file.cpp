#include "engine/calibration/dataset_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/text/unicode.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLargestRow = uint64_t{256} << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

[[noreturn]] void throw_bad(const fs::path& path, const std::string& what) {
  throw Error(ErrorCode::Checkpoint, one_line(path.string()) + ": " + what);
}

/// The end of a name in lower case: ".jsonl".
std::string extension_of(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  return extension;
}

/// A kind of file that is not read, and a program that turns it into JSON lines.
struct Foreign {
  std::string_view extension;
  std::string_view conversion;  // FILE stands for the name
};

constexpr std::array<Foreign, 9> kForeign{{
    {".parquet",
     "python3 -c \"import pandas; pandas.read_parquet('FILE').to_json('FILE.jsonl', "
     "orient='records', lines=True)\""},
    {".arrow",
     "python3 -c \"import datasets; datasets.Dataset.from_file('FILE').to_json('FILE.jsonl')\""},
    {".feather",
     "python3 -c \"import pandas; pandas.read_feather('FILE').to_json('FILE.jsonl', "
     "orient='records', lines=True)\""},
    {".csv",
     "python3 -c \"import pandas; pandas.read_csv('FILE').to_json('FILE.jsonl', "
     "orient='records', lines=True)\""},
    {".tsv",
     "python3 -c \"import pandas; pandas.read_csv('FILE', sep='\\t').to_json('FILE.jsonl', "
     "orient='records', lines=True)\""},
    {".gz", "gunzip --keep 'FILE'"},
    {".zst", "unzstd 'FILE'"},
    {".xz", "unxz --keep 'FILE'"},
    {".bz2", "bunzip2 --keep 'FILE'"},
}};

void refuse_foreign(const fs::path& path) {
  const std::string extension = extension_of(path);
  const auto* foreign = std::find_if(kForeign.begin(), kForeign.end(), [&](const Foreign& entry) {
    return entry.extension == extension;
  });
  if (foreign == kForeign.end()) {
    return;
  }
  std::string command(foreign->conversion);
  const std::string name = path.filename().string();
  for (size_t at = command.find("FILE"); at != std::string::npos;
       at = command.find("FILE", at + name.size())) {
    command.replace(at, 4, name);
  }
  throw Error(ErrorCode::Unsupported,
              one_line(path.string()) + ": " + extension +
                  " files are not read; convert it: " + one_line(command));
}

/// What the end of a name tells.
DatasetFormat format_by_name(const fs::path& path, const std::string& where) {
  const std::string extension = extension_of(path);
  if (extension == ".jsonl" || extension == ".ndjson") {
    return DatasetFormat::JsonLines;
  }
  if (extension == ".json") {
    return DatasetFormat::Auto;
  }
  if (extension == ".txt" || extension == ".md") {
    return DatasetFormat::Text;
  }
  throw Error(ErrorCode::Recipe,
              where + ": cannot tell from its name how " + in_quotes(path.string()) +
                  " is written; write `dataset: [{path: …, format: json | jsonl | text}]`");
}

void check_text(std::string_view text, const fs::path& path) {
  const auto line_of = [&](size_t at) {
    const std::string_view before = text.substr(0, at);
    return ":" + std::to_string(std::count(before.begin(), before.end(), '\n') + 1);
  };
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw_bad(path.string() + line_of(zero), "holds a zero byte; is this a text file?");
  }
  if (const auto invalid = first_invalid_byte(text)) {
    throw_bad(path.string() + line_of(*invalid), "not valid UTF-8; convert the file");
  }
}

std::string read_bytes(const InputFile& file, uint64_t offset, uint64_t count) {
  std::vector<std::byte> bytes;
  file.read(offset, count, bytes);
  return {reinterpret_cast<const char*>(bytes.data()), count};
}

void check_size(uint64_t bytes, const std::string& place) {
  if (bytes > kLargestRow) {
    throw Error(ErrorCode::Checkpoint,
                place + ": a row of " + std::to_string(bytes) +
                    " bytes, at most 256 MiB are read; cut it into several");
  }
}

}  // namespace

DatasetFile::DatasetFile(const fs::path& path, DatasetFormat format, const std::string& where)
    : path_(path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    throw_bad(path, "this dataset is not there; is the path right?");
  }
  if (fs::is_directory(path, ignored)) {
    open_folder();
    return;
  }
  if (format == DatasetFormat::Auto) {
    refuse_foreign(path);
    format = format_by_name(path, where);
  }
  if (format == DatasetFormat::Text) {
    texts_ = {path};
    if (InputFile(path, InputFile::Access::Read).size() == 0) {
      throw_bad(path, "the file is empty");
    }
    return;
  }
  open_json(format);
}

void DatasetFile::open_folder() {
  int64_t others = 0;
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
      const std::string extension = extension_of(entry.path());
      if (entry.path().filename().string().starts_with('.')) {
        continue;
      }
      if (extension == ".arrow" || extension == ".parquet") {
        refuse_foreign(entry.path());
      }
      if (entry.is_regular_file() && (extension == ".txt" || extension == ".md")) {
        texts_.push_back(entry.path());
      } else {
        ++others;
      }
    }
  } catch (const fs::filesystem_error& error) {
    throw_bad(path_, "cannot be read: " + error.code().message());
  }
  if (texts_.empty()) {
    throw_bad(path_, "this folder holds no .txt or .md file; name a file in it or another folder");
  }
  std::sort(texts_.begin(), texts_.end());
  if (others > 0) {
    warnings_.push_back(one_line(path_.string()) + ": " + std::to_string(others) +
                        " entries of this folder are left out: only .txt and .md files directly "
                        "in it are read");
  }
}

void DatasetFile::open_json(DatasetFormat format) {
  file_ = std::make_unique<InputFile>(path_, InputFile::Access::Read);
  bool by_lines = format == DatasetFormat::JsonLines;
  RowSpan rest;  // behind a list
  if (!by_lines) {
    JsonLayout layout = find_items(*file_);
    if (layout.kind == JsonLayout::Kind::Several && format == DatasetFormat::Json) {
      throw_bad(path_, "more than one JSON value in it; is it written as `format: jsonl`?");
    }
    rest = layout.rest;
    by_lines = layout.kind == JsonLayout::Kind::Several;
    rows_ = std::move(layout.rows);
  }
  if (by_lines) {
    rows_ = find_lines(*file_);
  }
  if (rows_.empty() || (rows_.size() == 1 && rows_[0].offset == file_->size())) {
    throw_bad(path_, file_->size() == 0 ? "the file is empty" : "holds no row");
  }
  for (int64_t i = 0; i < size(); ++i) {
    check_json_row(row(i), place(i));
  }
  if (rest.bytes > 0) {
    throw_bad(path_.string() + ":" + std::to_string(rest.line),
              "not valid JSON, something stands behind the list");
  }
}

std::string DatasetFile::row(int64_t index) const {
  const auto i = static_cast<size_t>(index);
  if (!is_text()) {
    check_size(rows_[i].bytes, place(index).text());
    return read_bytes(*file_, rows_[i].offset, rows_[i].bytes);
  }
  const InputFile file(texts_[i], InputFile::Access::Read);
  check_size(file.size(), place(index).text());
  std::string text = read_bytes(file, 0, file.size());
  check_text(text, texts_[i]);
  return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

RowPlace DatasetFile::place(int64_t index) const {
  const auto i = static_cast<size_t>(index);
  return is_text() ? RowPlace{texts_[i].string(), 0}
                   : RowPlace{path_.string(), rows_[i].line, rows_[i].column};
}

}  // namespace oneshot
