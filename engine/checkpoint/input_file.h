// A file of the source, read in place: mapped into memory where that is possible, read otherwise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/checkpoint/file_io.h"

namespace oneshot {

/// A regular file opened for reading. All functions may be called from many threads at once.
class InputFile {
 public:
  enum class Access {
    Mapped,  // mmap; falls back to Read where the file system or the kernel cannot
    Read,    // pread
  };

  /// throws Checkpoint when the path cannot be opened or is no regular file.
  explicit InputFile(const std::filesystem::path& path, Access access = Access::Mapped);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return size_; }  // bytes, when it was opened
  const std::filesystem::path& path() const { return path_; }
  int fd() const { return file_.get(); }

  /// throws Checkpoint when the file, as it was opened, does not hold these bytes.
  void check_range(uint64_t offset, uint64_t bytes) const;

  /// The bytes from `offset` on: a pointer into the mapped file, whose pages are brought in here so
  /// that a damaged disk or a file cut short meanwhile is an Error and no signal; or into
  /// `scratch`, which is grown as needed. Valid while this object and `scratch` are left alone;
  /// aligned as the file is, which may be less than an element needs. throws Checkpoint naming the
  /// file and the offset.
  const std::byte* fetch(uint64_t offset, uint64_t bytes, std::vector<std::byte>& scratch) const;

  /// The same bytes, always copied to the start of `scratch`.
  void read(uint64_t offset, uint64_t bytes, std::vector<std::byte>& scratch) const;

  /// Gives the memory of fetched bytes back. Bytes around them that another thread still reads stay
  /// readable: the kernel maps them again from its cache.
  void release(uint64_t offset, uint64_t bytes) const;

 private:
  bool populate(uint64_t offset, uint64_t bytes) const;

  std::filesystem::path path_;
  FileDescriptor file_;
  uint64_t size_ = 0;
  std::byte* map_ = nullptr;  // null: not mapped
  mutable std::atomic<bool> can_populate_{true};
};

}  // namespace oneshot
