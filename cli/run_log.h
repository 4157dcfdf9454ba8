// The log of a run: JSON lines, each on the disk as soon as it is written. Includes no ATen, whose
// headers bring a {fmt} of their own that spdlog cannot use.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

namespace spdlog {
class logger;
}

namespace oneshot::cli {

class RunLog {
 public:
  /// file: written anew; empty: no log. throws Failed when it cannot be written.
  explicit RunLog(const std::filesystem::path& file);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  /// Adds a line: the fields, the name of the event and the time.
  void add(const char* event, nlohmann::json fields);

 private:
  std::shared_ptr<spdlog::logger> logger_;  // null: no log
};

}  // namespace oneshot::cli
