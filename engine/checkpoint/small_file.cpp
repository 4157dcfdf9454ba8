#include "engine/checkpoint/small_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <span>

#include "engine/checkpoint/file_io.h"

namespace oneshot {

void write_small_file(const std::filesystem::path& path, std::string_view text) {
  std::error_code ignored;  // open() says what is wrong with the folder
  std::filesystem::create_directories(path.parent_path(), ignored);
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.is_open()) {
    throw_system_error(ErrorCode::Failed, path.string() + ": cannot be created", errno);
  }
  write_fully({file.get(), 0, path}, std::as_bytes(std::span(text)));
  if (::fsync(file.get()) != 0) {
    throw_system_error(ErrorCode::Failed, path.string() + ": cannot be brought to disk", errno);
  }
}

}  // namespace oneshot
