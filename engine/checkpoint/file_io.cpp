#include "engine/checkpoint/file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/message_text.h"

namespace oneshot {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{64} << 20;
constexpr uint64_t kBufferBytes = uint64_t{1} << 20;

bool is_resource(int error_number) {
  return is_disk_full(error_number) || error_number == ENOMEM || error_number == EMFILE ||
         error_number == ENFILE;
}

std::string advice(int error_number) {
  if (error_number == ENOSPC || error_number == EDQUOT) {
    return "; free space or choose another output folder";
  }
  if (error_number == EFBIG) {
    return "; raise the file size limit (ulimit -f) or choose another output folder";
  }
  if (error_number == EMFILE) {
    return "; raise the limit of open files (ulimit -n)";
  }
  return "";
}

/// Copies up to `bytes` with copy_file_range; returns how many it managed. Less than asked for
/// means that the file system cannot, or that either file fails: reading and writing then tells
/// which.
uint64_t copy_in_kernel(const InputFile& from, uint64_t offset, OutputRange to, uint64_t bytes) {
  uint64_t done = 0;
  while (done < bytes) {
    off_t source = static_cast<off_t>(offset + done);
    off_t target = static_cast<off_t>(to.offset + done);
    ssize_t copied = copy_file_range(from.fd(), &source, to.fd, &target, bytes - done, 0);
    if (copied < 0 && errno == EINTR) {
      continue;
    }
    if (copied < 0 && is_disk_full(errno)) {
      throw_system_error(ErrorCode::Failed, one_line(to.file.string()) + ": cannot write", errno);
    }
    if (copied <= 0) {
      break;
    }
    done += static_cast<uint64_t>(copied);
  }
  return done;
}

void read_and_write(const InputFile& from, uint64_t offset, OutputRange to, uint64_t bytes) {
  std::vector<std::byte> buffer;
  for (uint64_t done = 0; done < bytes;) {
    uint64_t count = std::min(kBufferBytes, bytes - done);
    from.read(offset + done, count, buffer);
    write_fully({to.fd, to.offset + done, to.file}, std::span(buffer).first(count));
    done += count;
  }
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void FileDescriptor::close() noexcept {
  if (fd_ >= 0) {
    ::close(std::exchange(fd_, -1));
  }
}

bool is_disk_full(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
}

void throw_system_error(ErrorCode code, const std::string& what, int error_number) {
  throw Error(is_resource(error_number) ? ErrorCode::Resource : code,
              what + ": " + std::generic_category().message(error_number) + advice(error_number));
}

void write_fully(const OutputRange& to, std::span<const std::byte> bytes) {
  uint64_t offset = to.offset;
  while (!bytes.empty()) {
    ssize_t written = pwrite(to.fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      int reason = written < 0 ? errno : EIO;
      throw_system_error(ErrorCode::Failed, one_line(to.file.string()) + ": cannot write", reason);
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

void copy_bytes(const InputFile& from,
                uint64_t from_offset,
                OutputRange to,
                uint64_t bytes,
                CopyMethod method) {
  from.check_range(from_offset, bytes);
  bool in_kernel = method == CopyMethod::InKernel;
  for (uint64_t done = 0; done < bytes;) {
    uint64_t piece = std::min(kPieceBytes, bytes - done);
    OutputRange target{to.fd, to.offset + done, to.file};
    uint64_t copied = in_kernel ? copy_in_kernel(from, from_offset + done, target, piece) : 0;
    if (copied < piece) {
      in_kernel = false;
      target.offset += copied;
      read_and_write(from, from_offset + done + copied, target, piece - copied);
    }
    done += piece;
  }
}

void sync_to_disk(const std::filesystem::path& path) {
  FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open() || fsync(file.get()) != 0) {
    throw_system_error(
        ErrorCode::Failed, one_line(path.string()) + ": cannot bring to disk", errno);
  }
}

void copy_file_bytes(const std::filesystem::path& from, const std::filesystem::path& to) {
  InputFile source(from, InputFile::Access::Read);
  std::error_code failure;
  std::filesystem::create_directories(to.parent_path(), failure);
  if (failure) {
    throw_system_error(ErrorCode::Failed,
                       one_line(to.parent_path().string()) + ": cannot create the folder",
                       failure.value());
  }
  int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  FileDescriptor target(open(to.c_str(), flags, 0644));
  if (!target.is_open()) {
    throw_system_error(
        ErrorCode::Failed, one_line(to.string()) + ": cannot create the file", errno);
  }
  copy_bytes(source, 0, {target.get(), 0, to}, source.size());
  if (fsync(target.get()) != 0) {
    throw_system_error(ErrorCode::Failed, one_line(to.string()) + ": cannot bring to disk", errno);
  }
}

}  // namespace oneshot
