// What stands between the engine and the system calls on files: a descriptor that closes itself,
// writes that are never short, and the Error that a failed call becomes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "engine/error.h"

namespace oneshot {

class InputFile;

/// Owns a file descriptor and closes it.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { close(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void close() noexcept;

 private:
  int fd_;
};

/// Throws the Error of a system call that failed: "WHAT: reason; what to do". No space, no memory
/// and no free descriptor are Resource whatever `code` says.
/// what: the file and what was being done to it.
[[noreturn]] void throw_system_error(ErrorCode code, const std::string& what, int error_number);

/// True when the number says that the disk, a quota or a file size limit is full.
bool is_disk_full(int error_number);

/// A place in a file that is being written; `file` is for messages.
struct OutputRange {
  int fd;
  uint64_t offset;  // bytes from the start of the file
  const std::filesystem::path& file;
};

/// Writes every byte at its offset, through interruptions and short writes.
/// throws Resource when the disk is full, else Failed naming the file.
void write_fully(const OutputRange& to, std::span<const std::byte> bytes);

enum class CopyMethod {
  InKernel,      // copy_file_range, and ReadAndWrite where the file system does not have it
  ReadAndWrite,  // through a buffer of 1 MiB
};

/// Copies bytes from file to file in pieces of at most 64 MiB.
/// throws Checkpoint when the source cannot be read, Resource and Failed as write_fully().
void copy_bytes(const InputFile& from,
                uint64_t from_offset,
                OutputRange to,
                uint64_t bytes,
                CopyMethod method = CopyMethod::InKernel);

/// Makes a file's contents, or a folder's list of names, survive a power cut.
/// throws Resource when the disk is full, else Failed.
void sync_to_disk(const std::filesystem::path& path);

/// Copies one file as `to`, mode 0644 less the umask, to disk; creates missing parent folders.
/// throws Checkpoint when `from` cannot be read or is no regular file, else as write_fully().
void copy_file_bytes(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace oneshot
