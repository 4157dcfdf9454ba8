#include "engine/checkpoint/input_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace oneshot {
namespace {

// The kernel maps up to this much around the page that is asked for, aligned to it, when it has
// the neighbours cached: fault_around_bytes. A power of two and a multiple of every page size.
constexpr uint64_t kFaultAroundBytes = 64 << 10;

[[noreturn]] void throw_cut_short(const std::filesystem::path& path, uint64_t was, uint64_t is) {
  throw Error(ErrorCode::Checkpoint,
              one_line(path.string()) + ": the file had " + std::to_string(was) +
                  " bytes when it was opened and ends at byte " + std::to_string(is) +
                  " now; leave the source alone while a run works");
}

}  // namespace

InputFile::InputFile(const std::filesystem::path& path, Access access)
    : path_(path), file_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat status {};
  if (!file_.is_open() || fstat(file_.get(), &status) != 0) {
    throw_system_error(ErrorCode::Checkpoint, one_line(path.string()) + ": cannot open", errno);
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::Checkpoint,
                one_line(path.string()) + ": not a regular file; replace it by one or remove it");
  }
  size_ = static_cast<uint64_t>(status.st_size);
  if (access == Access::Mapped && size_ > 0) {
    void* map = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_.get(), 0);
    map_ = map == MAP_FAILED ? nullptr : static_cast<std::byte*>(map);
  }
}

InputFile::~InputFile() {
  if (map_ != nullptr) {
    munmap(map_, size_);
  }
}

void InputFile::check_range(uint64_t offset, uint64_t bytes) const {
  if (offset > size_ || bytes > size_ - offset) {
    throw Error(ErrorCode::Checkpoint,
                one_line(path_.string()) + ": cannot read " + std::to_string(bytes) +
                    " bytes at byte " + std::to_string(offset) + ", the file has " +
                    std::to_string(size_));
  }
}

/// True when the pages are in memory and hold the whole range. Whatever stands in the way is left
/// to read(), which gets the same bytes or the exact reason why not.
bool InputFile::populate(uint64_t offset, uint64_t bytes) const {
  if (map_ == nullptr || !can_populate_) {
    return false;
  }
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t begin = offset & ~(page - 1);
  if (madvise(map_ + begin, offset + bytes - begin, MADV_POPULATE_READ) != 0) {
    if (errno == EINVAL || errno == ENOSYS) {
      can_populate_ = false;
    }
    return false;
  }
  // A file cut within its last page still has that page, with zeros where the bytes were.
  struct stat status {};
  return fstat(file_.get(), &status) == 0 &&
         static_cast<uint64_t>(status.st_size) >= offset + bytes;
}

const std::byte* InputFile::fetch(uint64_t offset,
                                  uint64_t bytes,
                                  std::vector<std::byte>& scratch) const {
  check_range(offset, bytes);
  if (bytes == 0) {
    static constexpr std::byte kNothing{};
    return &kNothing;
  }
  if (populate(offset, bytes)) {
    return map_ + offset;
  }
  read(offset, bytes, scratch);
  return scratch.data();
}

void InputFile::read(uint64_t offset, uint64_t bytes, std::vector<std::byte>& scratch) const {
  check_range(offset, bytes);
  if (scratch.size() < bytes) {
    scratch.resize(bytes);
  }
  for (uint64_t done = 0; done < bytes;) {
    uint64_t at = offset + done;
    ssize_t count = pread(file_.get(), scratch.data() + done, bytes - done, static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw_system_error(ErrorCode::Checkpoint,
                         one_line(path_.string()) + ": cannot read " +
                             std::to_string(bytes - done) + " bytes at byte " + std::to_string(at),
                         errno);
    }
    if (count == 0) {
      throw_cut_short(path_, size_, at);
    }
    done += static_cast<uint64_t>(count);
  }
}

void InputFile::release(uint64_t offset, uint64_t bytes) const {
  check_range(offset, bytes);
  if (map_ == nullptr || bytes == 0) {
    return;
  }
  // Outward, so that nothing which the kernel mapped around the bytes stays behind: with slices of
  // a few MiB the edges alone would grow with the model.
  uint64_t begin = offset & ~(kFaultAroundBytes - 1);
  uint64_t end =
      std::min(size_, (offset + bytes + kFaultAroundBytes - 1) & ~(kFaultAroundBytes - 1));
  madvise(map_ + begin, end - begin, MADV_DONTNEED);
}

}  // namespace oneshot
