#include "engine/checkpoint/shard_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "engine/checkpoint/safetensors.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using testing::MatchesRegex;

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string numbered_bytes(size_t count, int seed) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<char>(i * 7 + i / 251 + static_cast<size_t>(seed));
  }
  return bytes;
}

/// The bytes of a tensor in the files that were written; checks the header in the file too.
std::string written(const fs::path& folder, const OutputLayout& layout, const char* name) {
  const OutputTensor* tensor = layout.find(name);
  const OutputShard& shard = layout.shards()[tensor->shard];
  std::string file = read_file(folder / shard.file);
  EXPECT_EQ(file.size(), shard.bytes);
  EXPECT_EQ(file.substr(0, shard.header.size()), shard.header);
  return file.substr(tensor->offset, tensor->spec.bytes());
}

/// Holds a limit of the size of files while it lives; beyond it a write fails with EFBIG.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  sighandler_t handler_;
};

TEST(ShardWriter, WritesFromManyThreads) {
  TemporaryFolder folder;
  const int64_t rows = 96;
  std::string source = numbered_bytes(3000 + rows * 1000, 5);
  write_file(folder.path() / "source", source);
  InputFile input(folder.path() / "source");
  OutputLayout layout({{"pieces", Dtype::U8, {rows * 1000}},
                       {"columns", Dtype::Bf16, {rows, 500}},
                       {"copied", Dtype::I8, {rows * 1000}}},
                      150'000);
  ASSERT_EQ(layout.shards().size(), 3u);
  std::string pieces = numbered_bytes(rows * 1000, 1);
  std::string columns = numbered_bytes(rows * 1000, 2);
  ShardWriter writer(folder.path(), layout);
  std::vector<std::thread> threads;
  for (int64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int64_t row = thread; row < rows; row += 4) {
        std::string_view line(columns.data() + row * 1000, 1000);
        size_t begin = static_cast<size_t>(row) * 1000;
        writer.write(layout.tensors()[0], begin, as_bytes(pieces).subspan(begin, 1000));
        writer.write_2d(layout.tensors()[1], row, 0, 1, 123, as_bytes(line.substr(0, 246)));
        writer.write_2d(layout.tensors()[1], row, 123, 1, 377, as_bytes(line.substr(246)));
      }
      if (thread == 0) {
        writer.copy(layout.tensors()[2], 0, input, 3000, layout.tensors()[2].spec.bytes());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  writer.finish();
  EXPECT_EQ(written(folder.path(), layout, "pieces"), pieces);
  EXPECT_EQ(written(folder.path(), layout, "columns"), columns);
  EXPECT_EQ(written(folder.path(), layout, "copied"), source.substr(3000));
}

TEST(ShardWriter, WritesRectangles) {
  TemporaryFolder folder;
  OutputLayout layout({{"narrow", Dtype::F4, {3, 8}}, {"wide", Dtype::I16, {3, 2}}}, 1000);
  ShardWriter writer(folder.path(), layout);
  const OutputTensor& narrow = layout.tensors()[0];
  writer.write_2d(narrow, 0, 0, 3, 8, as_bytes("abcdefghijkl"));
  writer.write_2d(narrow, 1, 2, 2, 4, as_bytes("FGJK"));
  writer.write_2d(narrow, 0, 0, 0, 8, as_bytes(""));
  writer.write_2d(layout.tensors()[1], 1, 0, 2, 2, as_bytes("ababcdcd"));
  writer.finish();
  EXPECT_EQ(written(folder.path(), layout, "narrow"), "abcdeFGhiJKl");
  EXPECT_EQ(written(folder.path(), layout, "wide"), std::string("\0\0\0\0ababcdcd", 12));
}

TEST(ShardWriter, RefusesPiecesOutsideOfTheTensor) {
  TemporaryFolder folder;
  OutputLayout layout({{"t", Dtype::F4, {2, 4}}, {"v", Dtype::U8, {4}}}, 1000);
  ShardWriter writer(folder.path(), layout);
  const OutputTensor& t = layout.tensors()[0];
  auto refuses =
      [&](int64_t row, int64_t column, int64_t rows, int64_t columns, const char* piece) {
        expect_error(ErrorCode::Failed, "output tensor 't': a piece lies outside of F4 [2,4]", [&] {
          writer.write_2d(t, row, column, rows, columns, as_bytes(piece));
        });
      };
  refuses(1, 0, 2, 4, "abcd");
  refuses(0, 2, 1, 4, "ab");
  refuses(-1, 0, 1, 4, "ab");
  refuses(0, 0, 1, 4, "abc");  // the piece is longer than its rectangle
  refuses(0, 1, 1, 2, "a");    // a column begins within a byte
  refuses(0, 0, 1, 3, "a");
  const std::string message = "output tensor 'v': a piece lies outside of U8 [4]";
  const OutputTensor& v = layout.tensors()[1];
  expect_error(ErrorCode::Failed, message, [&] { writer.write(v, 3, as_bytes("ab")); });
  expect_error(ErrorCode::Failed, message, [&] { writer.write(v, 5, as_bytes("")); });
  expect_error(
      ErrorCode::Failed, message, [&] { writer.write_2d(v, 0, 0, 1, 4, as_bytes("abcd")); });
}

TEST(ShardWriter, CopiesAPieceToItsPlace) {
  TemporaryFolder folder;
  write_file(folder.path() / "source", "0123456789");
  InputFile source(folder.path() / "source");
  OutputLayout layout({{"t", Dtype::U8, {6}}}, 100);
  ShardWriter writer(folder.path(), layout);
  writer.copy(layout.tensors()[0], 3, source, 7, 3);
  writer.copy(layout.tensors()[0], 0, source, 4, 3);
  writer.finish();
  std::string file = read_file(folder.path() / "model.safetensors");
  EXPECT_EQ(file.substr(file.size() - 6), "456789");
}

TEST(ShardWriter, NamesASourceThatIsTooShort) {
  TemporaryFolder folder;
  write_file(folder.path() / "source", "abc");
  InputFile source(folder.path() / "source");
  OutputLayout layout({{"t", Dtype::U8, {4}}}, 100);
  ShardWriter writer(folder.path(), layout);
  expect_error(ErrorCode::Checkpoint,
               folder.string() + "/source: cannot read 4 bytes at byte 1, the file has 3",
               [&] { writer.copy(layout.tensors()[0], 0, source, 1, 4); });
}

TEST(ShardWriter, FindsAtOnceThatTheDiskIsTooSmall) {
  TemporaryFolder folder;
  OutputLayout layout({{"t", Dtype::U8, {int64_t{1} << 60}}}, 100);
  std::string message =
      error_message(ErrorCode::Resource, [&] { ShardWriter writer(folder.path(), layout); });
  EXPECT_THAT(message,
              MatchesRegex(folder.string() +
                           ": the weights need 11529215046068[0-9]+ bytes, [0-9]+ are free; free "
                           "space or choose another output folder"));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(ShardWriter, FindsAtOnceThatAFileMayNotBeThatLarge) {
  TemporaryFolder folder;
  OutputLayout layout({{"t", Dtype::U8, {1'000'000}}}, 1'000'000);
  FileSizeLimit limit(500'000);
  expect_error(ErrorCode::Resource,
               folder.string() +
                   "/model.safetensors: cannot reserve 1000104 bytes: File too "
                   "large; raise the file size limit (ulimit -f) or choose another "
                   "output folder",
               [&] { ShardWriter writer(folder.path(), layout); });
}

TEST(ShardWriter, ReservesTheSpace) {
  TemporaryFolder folder;
  OutputLayout layout({{"t", Dtype::U8, {1'000'000}}}, 1'000'000);
  ShardWriter writer(folder.path(), layout);
  EXPECT_EQ(fs::file_size(folder.path() / "model.safetensors"), layout.total_bytes());
}

TEST(ShardWriter, RefusesAFileThatIsThere) {
  TemporaryFolder folder;
  write_file(folder.path() / "model.safetensors", "");
  OutputLayout layout({{"t", Dtype::U8, {1}}}, 1);
  expect_error(ErrorCode::Failed,
               folder.string() + "/model.safetensors: cannot create the file: File exists",
               [&] { ShardWriter writer(folder.path(), layout); });
}

TEST(WriteFully, SaysThatTheDiskIsFull) {
  FileDescriptor full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.is_open());
  fs::path shown = "model.safetensors";
  expect_error(ErrorCode::Resource,
               "model.safetensors: cannot write: No space left on device; free space or choose "
               "another output folder",
               [&] {
                 write_fully({full.get(), 0, shown}, as_bytes("abc"));
               });
}

TEST(WriteFully, NamesTheFileThatFails) {
  FileDescriptor only_read(open("/dev/null", O_RDONLY | O_CLOEXEC));
  fs::path shown = "model.safetensors";
  expect_error(ErrorCode::Failed, "model.safetensors: cannot write: Bad file descriptor", [&] {
    write_fully({only_read.get(), 0, shown}, as_bytes("abc"));
  });
}

class CopyBytes : public testing::TestWithParam<CopyMethod> {};

INSTANTIATE_TEST_SUITE_P(Both,
                         CopyBytes,
                         testing::Values(CopyMethod::InKernel, CopyMethod::ReadAndWrite));

TEST_P(CopyBytes, CopiesARange) {
  TemporaryFolder folder;
  std::string bytes = numbered_bytes(3'000'000, 3);
  write_file(folder.path() / "from", bytes);
  InputFile from(folder.path() / "from");
  fs::path to = folder.path() / "to";
  FileDescriptor target(open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  copy_bytes(from, 1000, {target.get(), 10, to}, 2'500'000, GetParam());
  EXPECT_EQ(read_file(to), std::string(10, '\0') + bytes.substr(1000, 2'500'000));
}

TEST_P(CopyBytes, SaysThatTheDiskIsFull) {
  TemporaryFolder folder;
  write_file(folder.path() / "from", "abc");
  InputFile from(folder.path() / "from");
  FileDescriptor full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  fs::path shown = "to";
  expect_error(ErrorCode::Resource,
               "to: cannot write: No space left on device; free space or choose another output "
               "folder",
               [&] {
                 copy_bytes(from, 0, {full.get(), 0, shown}, 3, GetParam());
               });
}

// The kernel does not copy between different kinds of file systems; memory is always another one.
TEST(CopyBytesAcross, ReadsAndWritesWhereTheKernelDoesNotCopy) {
  TemporaryFolder folder;
  std::string bytes = numbered_bytes(100'000, 4);
  FileDescriptor memory(memfd_create("source", MFD_CLOEXEC));
  fs::path name = "/proc/self/fd/" + std::to_string(memory.get());
  write_fully({memory.get(), 0, name}, as_bytes(bytes));
  InputFile from(name);
  fs::path to = folder.path() / "to";
  FileDescriptor target(open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  copy_bytes(from, 0, {target.get(), 0, to}, bytes.size());
  EXPECT_EQ(read_file(to), bytes);
}

}  // namespace
}  // namespace oneshot
