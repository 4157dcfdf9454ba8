#include "tests/checkpoint/failing_calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <limits>
#include <utility>

namespace oneshot {
namespace {

struct Failure {
  std::atomic<int> error_number{0};  // 0: works
  std::atomic<int> spared{0};
};

struct State {
  std::array<Failure, static_cast<size_t>(Call::kCount)> failures;
  std::atomic<size_t> most_bytes{std::numeric_limits<size_t>::max()};
  std::atomic<unsigned> pwrites{0};
  std::function<void()> flock_action;
};

State& state() {
  static State state;
  return state;
}

Failure& failure_of(Call call) {
  return state().failures[static_cast<size_t>(call)];
}

bool fails(Call call) {
  Failure& failure = failure_of(call);
  if (failure.error_number == 0 || failure.spared-- > 0) {
    return false;
  }
  errno = failure.error_number;
  return true;
}

}  // namespace

FailingCall::FailingCall(Call call, int error_number, int spared) : call_(call) {
  failure_of(call).spared = spared;
  failure_of(call).error_number = error_number;
}

FailingCall::~FailingCall() {
  failure_of(call_).error_number = 0;
}

ShortWrites::ShortWrites(size_t most) {
  state().most_bytes = most;
}

ShortWrites::~ShortWrites() {
  state().most_bytes = std::numeric_limits<size_t>::max();
}

void before_next_flock(std::function<void()> action) {
  state().flock_action = std::move(action);
}

}  // namespace oneshot

using oneshot::Call;
using oneshot::fails;
using oneshot::state;

extern "C" {

ssize_t copy_file_range(
    int in, off64_t* in_offset, int out, off64_t* out_offset, size_t count, unsigned flags) {
  count = std::min<size_t>(count, state().most_bytes);
  return fails(Call::CopyFileRange)
             ? -1
             : syscall(SYS_copy_file_range, in, in_offset, out, out_offset, count, flags);
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
  return fails(Call::Fallocate)
             ? -1
             : static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, length));
}

int flock(int fd, int operation) noexcept {
  if (state().flock_action) {
    std::exchange(state().flock_action, nullptr)();
  }
  return fails(Call::Flock) ? -1 : static_cast<int>(syscall(SYS_flock, fd, operation));
}

int fsync(int fd) {
  return fails(Call::Fsync) ? -1 : static_cast<int>(syscall(SYS_fsync, fd));
}

int madvise(void* address, size_t length, int advice) noexcept {
  return fails(Call::Madvise) ? -1
                              : static_cast<int>(syscall(SYS_madvise, address, length, advice));
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  if (count > state().most_bytes && state().pwrites++ % 2 == 0) {
    errno = EINTR;
    return -1;
  }
  count = std::min<size_t>(count, state().most_bytes);
  return fails(Call::Pwrite) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, offset);
}

int renameat2(
    int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (fails(flags == 0 ? Call::Rename : Call::RenameWithFlags)) {
    return -1;
  }
  return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

}  // extern "C"
