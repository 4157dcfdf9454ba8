// What happens when the kernel or the disk refuses: what it cannot do is done another way, what
// fails is reported, and nothing that was there is lost.
#include "tests/checkpoint/failing_calls.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "engine/checkpoint/shard_writer.h"
#include "engine/checkpoint/work_folder.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using testing::MatchesRegex;

class FailingCalls : public testing::Test {
 protected:
  FailingCalls() : root_(folder_.path()), layout_({{"t", Dtype::U8, {100}}}, 100) {
    write_file(root_ / "source" / "config.json", "{}");
    write_file(root_ / "weights", bytes_);
  }
  std::string written() const {
    return read_file(root_ / "model.safetensors").substr(layout_.tensors()[0].offset);
  }
  /// Copies the source's bytes to the shard.
  void copy() {
    ShardWriter writer(root_, layout_);
    const OutputTensor& tensor = layout_.tensors()[0];
    writer.copy(tensor, 0, InputFile(root_ / "weights"), 0, tensor.spec.bytes());
    writer.finish();
  }
  fs::path work() const { return root_ / ".out.oneshot"; }

  TemporaryFolder folder_;
  fs::path root_;
  OutputLayout layout_;
  std::string bytes_ = std::string(60, 'a') + std::string(40, 'b');
};

TEST_F(FailingCalls, InputIsReadWhereThePagesCannotBePopulated) {
  InputFile file(root_ / "weights");
  std::vector<std::byte> scratch;
  FailingCall no_populate(Call::Madvise, EINVAL);
  const std::byte* bytes = file.fetch(50, 50, scratch);
  EXPECT_EQ(bytes, scratch.data());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes), 50), bytes_.substr(50));
}

TEST_F(FailingCalls, SpaceIsTakenWhereItCannotBeReserved) {
  FailingCall no_fallocate(Call::Fallocate, EOPNOTSUPP);
  ShardWriter writer(root_, layout_);
  EXPECT_EQ(fs::file_size(root_ / "model.safetensors"), layout_.total_bytes());
}

TEST_F(FailingCalls, ADiskThatFillsMeanwhileIsReported) {
  FailingCall full(Call::Fallocate, ENOSPC);
  std::string message =
      error_message(ErrorCode::Resource, [&] { ShardWriter writer(root_, layout_); });
  EXPECT_THAT(message,
              MatchesRegex(root_.string() +
                           ": the weights need 196 bytes, [0-9]+ are free; free space or choose "
                           "another output folder"));
}

TEST_F(FailingCalls, AQuotaIsReported) {
  FailingCall over_quota(Call::Fallocate, EDQUOT);
  expect_error(ErrorCode::Resource,
               root_.string() +
                   ": the weights need 196 bytes, the disk quota is less; free space "
                   "or choose another output folder",
               [&] { ShardWriter writer(root_, layout_); });
}

TEST_F(FailingCalls, ADiskErrorIsReported) {
  ShardWriter writer(root_, layout_);
  std::string file = root_.string() + "/model.safetensors";
  {
    FailingCall broken(Call::Pwrite, EIO);
    expect_error(ErrorCode::Failed, file + ": cannot write: Input/output error", [&] {
      writer.write(layout_.tensors()[0], 0, std::as_bytes(std::span(bytes_)));
    });
  }
  FailingCall broken(Call::Fsync, EIO);
  expect_error(ErrorCode::Failed, file + ": cannot bring to disk: Input/output error", [&] {
    writer.finish();
  });
}

TEST_F(FailingCalls, ShortAndInterruptedWritesGoOn) {
  ShortWrites at_most(7);
  ShardWriter writer(root_, layout_);
  writer.write(layout_.tensors()[0], 0, std::as_bytes(std::span(bytes_)));
  writer.finish();
  EXPECT_EQ(written(), bytes_);
}

TEST_F(FailingCalls, ShortCopiesGoOn) {
  ShortWrites at_most(7);
  copy();
  EXPECT_EQ(written(), bytes_);
}

TEST_F(FailingCalls, ACopyGoesOnWithoutTheKernel) {
  for (int reason : {EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EIO}) {
    ShortWrites at_most(30);
    FailingCall breaks_off(Call::CopyFileRange, reason, 2);
    copy();
    EXPECT_EQ(written(), bytes_) << reason;
    fs::remove(root_ / "model.safetensors");
  }
}

TEST_F(FailingCalls, ACopyToAFullDiskIsReported) {
  FailingCall full(Call::CopyFileRange, ENOSPC);
  expect_error(ErrorCode::Resource,
               root_.string() +
                   "/model.safetensors: cannot write: No space left on device; free "
                   "space or choose another output folder",
               [&] { copy(); });
}

TEST_F(FailingCalls, AnOutputIsNamedWithoutFlags) {
  FailingCall no_flags(Call::RenameWithFlags, EINVAL);
  WorkFolder(root_ / "out", root_ / "source").commit(false);
  EXPECT_TRUE(fs::exists(root_ / "out"));
  EXPECT_EQ(error_message(ErrorCode::Recipe,
                          [&] { WorkFolder(root_ / "out", root_ / "source").commit(false); }),
            root_.string() +
                "/out: the output exists already; choose another folder or pass --overwrite");
}

TEST_F(FailingCalls, AnOutputIsReplacedInTwoSteps) {
  FailingCall no_flags(Call::RenameWithFlags, ENOSYS);
  write_file(root_ / "out" / "old", "");
  WorkFolder folder(root_ / "out", root_ / "source");
  write_file(folder.staging() / "new", "");
  folder.commit(true);
  EXPECT_TRUE(fs::exists(root_ / "out" / "new"));
  EXPECT_FALSE(fs::exists(root_ / "out" / "old"));
  EXPECT_FALSE(fs::exists(work()));
}

TEST_F(FailingCalls, AnOutputIsPutBackWhenTheSecondStepFails) {
  write_file(root_ / "out" / "old", "");
  {
    WorkFolder folder(root_ / "out", root_ / "source");
    FailingCall no_flags(Call::RenameWithFlags, EINVAL);
    FailingCall second(Call::Rename, EIO, 1);
    expect_error(ErrorCode::Failed,
                 root_.string() + "/out: cannot replace the output: Input/output error",
                 [&] { folder.commit(true); });
  }
  EXPECT_TRUE(fs::exists(root_ / "out" / "old"));
  EXPECT_FALSE(fs::exists(work()));
}

TEST_F(FailingCalls, AnOutputThatWasMovedAwayIsPutBack) {
  write_file(work() / "replaced" / "old", "");  // a crash between the two steps
  { WorkFolder folder(root_ / "out", root_ / "source"); }
  EXPECT_TRUE(fs::exists(root_ / "out" / "old"));
  EXPECT_FALSE(fs::exists(work()));
}

TEST_F(FailingCalls, AnOutputThatCannotBePutBackIsKept) {
  write_file(work() / "replaced" / "old", "");
  {
    FailingCall broken(Call::Rename, EIO);
    expect_error(ErrorCode::Failed,
                 root_.string() +
                     "/out: cannot put back the output that an earlier run moved "
                     "away: Input/output error",
                 [&] { WorkFolder folder(root_ / "out", root_ / "source"); });
  }
  EXPECT_TRUE(fs::exists(work() / "replaced" / "old"));
  { WorkFolder folder(root_ / "out", root_ / "source"); }
  EXPECT_TRUE(fs::exists(root_ / "out" / "old"));
}

TEST_F(FailingCalls, ACommitThatCannotReachTheDiskLeavesNoOutput) {
  {
    WorkFolder folder(root_ / "out", root_ / "source");
    FailingCall broken(Call::Fsync, EIO);
    expect_error(ErrorCode::Failed,
                 folder.staging().string() + ": cannot bring to disk: Input/output error",
                 [&] { folder.commit(false); });
  }
  EXPECT_FALSE(fs::exists(root_ / "out"));
  EXPECT_FALSE(fs::exists(work()));
}

TEST_F(FailingCalls, AFileSystemWithoutLocksIsReported) {
  FailingCall no_locks(Call::Flock, ENOLCK);
  expect_error(ErrorCode::Failed,
               (work() / "lock").string() + ": cannot lock: No locks available",
               [&] { WorkFolder folder(root_ / "out", root_ / "source"); });
}

// Another run removes its work folder after this one has opened the lock in it.
TEST_F(FailingCalls, ALockWhoseFolderIsGoneIsTakenAnew) {
  before_next_flock([&] { fs::remove_all(work()); });
  WorkFolder folder(root_ / "out", root_ / "source");
  EXPECT_TRUE(fs::exists(work() / "lock"));
  EXPECT_TRUE(fs::exists(folder.staging()));
}

// The same, and a third run has the new lock already.
TEST_F(FailingCalls, ALockThatIsNoLongerTheLockDoesNotCount) {
  FileDescriptor third;
  before_next_flock([&] {
    fs::remove_all(work());
    write_file(work() / "lock", "");
    third = FileDescriptor(open((work() / "lock").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(syscall(SYS_flock, third.get(), LOCK_EX | LOCK_NB), 0);
  });
  expect_error(ErrorCode::Failed,
               root_.string() + "/out: in use by another run (it holds " +
                   (work() / "lock").string() + "); wait for it or choose another output folder",
               [&] { WorkFolder folder(root_ / "out", root_ / "source"); });
}

}  // namespace
}  // namespace oneshot
