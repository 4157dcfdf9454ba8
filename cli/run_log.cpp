#include "cli/run_log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>

#include "engine/error.h"

namespace oneshot::cli {
namespace {

constexpr const char* kLoggerName = "run";

}  // namespace

RunLog::RunLog(const std::filesystem::path& file) {
  if (file.empty()) {
    return;
  }
  try {
    logger_ = spdlog::basic_logger_st(kLoggerName, file.string(), true);
  } catch (const spdlog::spdlog_ex& failure) {
    throw Error(ErrorCode::Failed, "--log " + file.string() + ": " + failure.what());
  }
  logger_->set_pattern("%v");
  logger_->flush_on(spdlog::level::info);
}

RunLog::~RunLog() {
  if (logger_) {
    spdlog::drop(kLoggerName);
  }
}

void RunLog::add(const char* event, nlohmann::json fields) {
  if (!logger_) {
    return;
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  fields["event"] = event;
  fields["unix_seconds"] = std::chrono::duration<double>(now).count();
  logger_->info(fields.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace oneshot::cli
