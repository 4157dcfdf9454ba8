// Lets a test make system calls fail that hardly ever do: the test program's own definitions stand
// before those of the C library.
#pragma once

#include <cstddef>
#include <functional>

namespace oneshot {

enum class Call {
  CopyFileRange,
  Fallocate,
  Flock,
  Fsync,
  Madvise,
  Pwrite,
  Rename,           // renameat2 without flags
  RenameWithFlags,  // renameat2 with flags
  kCount,
};

/// While it lives, `call` fails with `error_number`; the first `spared` times it works as always.
class FailingCall {
 public:
  FailingCall(Call call, int error_number, int spared = 0);
  ~FailingCall();
  FailingCall(const FailingCall&) = delete;
  FailingCall& operator=(const FailingCall&) = delete;

 private:
  Call call_;
};

/// While it lives, copy_file_range and pwrite move at most this many bytes at once, and every
/// second pwrite is interrupted instead.
class ShortWrites {
 public:
  explicit ShortWrites(size_t most);
  ~ShortWrites();
};

/// Runs `action` before the next flock.
void before_next_flock(std::function<void()> action);

}  // namespace oneshot
