// Any bytes as a dataset, JSON, JSON lines or text: its rows are read, or refused with an Error.
// Input: one byte that picks the format, then the file.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/calibration/dataset_file.h"
#include "engine/calibration/dataset_row.h"
#include "engine/error.h"

namespace {

using oneshot::DatasetFile;
using oneshot::DatasetFormat;

void read_all(const std::string& path, DatasetFormat format) {
  const DatasetFile file(path, format, "recipe.yaml:1:1");
  for (int64_t i = 0; i < file.size(); ++i) {
    const std::string row = file.row(i);
    if (file.is_text()) {
      continue;
    }
    try {
      oneshot::parse_dataset_row(row, file.place(i), {});
    } catch (const oneshot::Error&) {  // the next one may be well
    }
    oneshot::parse_dataset_row(row, file.place(i), "text");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  constexpr DatasetFormat kFormats[] = {
      DatasetFormat::Json, DatasetFormat::JsonLines, DatasetFormat::Text};
  static const int kFile = memfd_create("dataset", 0);
  if (ftruncate(kFile, 0) != 0 ||
      pwrite(kFile, data + 1, size - 1, 0) != static_cast<ssize_t>(size - 1)) {
    std::abort();
  }
  try {
    read_all("/proc/self/fd/" + std::to_string(kFile), kFormats[data[0] % 3]);
  } catch (const oneshot::Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) {
      std::abort();  // a message is one line
    }
  }
  return 0;
}
