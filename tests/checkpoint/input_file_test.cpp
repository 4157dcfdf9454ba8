#include "engine/checkpoint/input_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

using Access = InputFile::Access;

std::string numbered_bytes(size_t count) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<char>(i * 7 + i / 251);
  }
  return bytes;
}

std::string fetch(const InputFile& file, uint64_t offset, uint64_t bytes) {
  std::vector<std::byte> scratch;
  const std::byte* data = file.fetch(offset, bytes, scratch);
  return {reinterpret_cast<const char*>(data), bytes};
}

/// Bytes of the file at `path` that this process has mapped into memory.
uint64_t resident_bytes(const std::filesystem::path& path) {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  uint64_t kibibytes = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') != std::string::npos && line.find(" r") != std::string::npos) {
      inside = line.find(path.string()) != std::string::npos;
    } else if (inside && line.starts_with("Rss:")) {
      kibibytes += std::stoull(line.substr(4));
    }
  }
  return kibibytes * 1024;
}

class InputFileAccess : public testing::TestWithParam<Access> {
 protected:
  std::filesystem::path write(const std::string& bytes) {
    write_file(folder_.path() / "f", bytes);
    return folder_.path() / "f";
  }

  TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Both, InputFileAccess, testing::Values(Access::Mapped, Access::Read));

TEST_P(InputFileAccess, FetchesAnyRange) {
  std::string bytes = numbered_bytes(300'000);
  InputFile file(write(bytes), GetParam());
  EXPECT_EQ(file.size(), bytes.size());
  EXPECT_EQ(file.path(), folder_.path() / "f");
  EXPECT_EQ(fetch(file, 0, bytes.size()), bytes);
  EXPECT_EQ(fetch(file, 4095, 2), bytes.substr(4095, 2));
  EXPECT_EQ(fetch(file, 123'457, 70'001), bytes.substr(123'457, 70'001));
  EXPECT_EQ(fetch(file, 299'999, 1), bytes.substr(299'999));
  EXPECT_EQ(fetch(file, 300'000, 0), "");
}

TEST_P(InputFileAccess, UsesScratchOnlyWhenItReads) {
  InputFile file(write("abc"), GetParam());
  std::vector<std::byte> scratch(1);
  bool into_scratch = file.fetch(1, 2, scratch) == scratch.data();
  EXPECT_EQ(into_scratch, GetParam() == Access::Read);
}

TEST_P(InputFileAccess, MayBeEmpty) {
  InputFile file(write(""), GetParam());
  EXPECT_EQ(file.size(), 0u);
  std::vector<std::byte> scratch;
  EXPECT_NE(file.fetch(0, 0, scratch), nullptr);
  file.release(0, 0);
}

TEST_P(InputFileAccess, RefusesARangeOutsideOfTheFile) {
  InputFile file(write("abc"), GetParam());
  expect_error(ErrorCode::Checkpoint,
               folder_.string() + "/f: cannot read 2 bytes at byte 2, the file has 3",
               [&] { fetch(file, 2, 2); });
  expect_error(
      ErrorCode::Checkpoint,
      folder_.string() + "/f: cannot read 18446744073709551615 bytes at byte 2, the file has 3",
      [&] { fetch(file, 2, ~uint64_t{0}); });
}

TEST_P(InputFileAccess, SaysThatAFileWasCutShort) {
  std::filesystem::path path = write(numbered_bytes(100'000));
  InputFile file(path, GetParam());
  fetch(file, 0, 100'000);
  for (uint64_t size : {99'000, 50'000, 0}) {  // in the last page, between pages, all
    std::filesystem::resize_file(path, size);
    expect_error(ErrorCode::Checkpoint,
                 path.string() +
                     ": the file had 100000 bytes when it was opened and ends at byte " +
                     std::to_string(size) + " now; leave the source alone while a run works",
                 [&] { fetch(file, 0, 100'000); });
  }
}

TEST_P(InputFileAccess, ServesManyThreads) {
  std::string bytes = numbered_bytes(1'000'000);
  InputFile file(write(bytes), GetParam());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint64_t i = 0; i < 200; ++i) {
        uint64_t offset = (i * 104'729 + thread * 15'485'863) % 900'000;
        wrong += fetch(file, offset, 99'991) != bytes.substr(offset, 99'991);
        file.release(offset, 99'991);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST(InputFile, StaysMappedWhereTheKernelAllows) {
  TemporaryFolder folder;
  write_file(folder.path() / "f", numbered_bytes(8192));
  InputFile file(folder.path() / "f");
  std::vector<std::byte> scratch;
  file.fetch(0, 8192, scratch);
  EXPECT_TRUE(scratch.empty());
  EXPECT_GE(resident_bytes(file.path()), 8192u);
}

TEST(InputFile, GivesMemoryBack) {
  TemporaryFolder folder;
  write_file(folder.path() / "f", numbered_bytes(32 << 20));
  InputFile file(folder.path() / "f");
  std::vector<std::byte> scratch;
  const uint64_t slice = (1 << 20) + 1234;
  uint64_t most = 0;
  for (uint64_t offset = 0; offset + slice < file.size(); offset += slice) {
    file.fetch(offset, slice, scratch);
    file.release(offset, slice);
    most = std::max(most, resident_bytes(file.path()));
  }
  EXPECT_LE(most, 128u << 10);
}

TEST(InputFile, RefusesWhatIsNoRegularFile) {
  TemporaryFolder folder;
  std::string hint = ": not a regular file; replace it by one or remove it";
  ASSERT_EQ(mkfifo((folder.string() + "/pipe").c_str(), 0600), 0);
  expect_error(ErrorCode::Checkpoint, folder.string() + "/pipe" + hint, [&] {
    InputFile(folder.path() / "pipe");
  });
  expect_error(
      ErrorCode::Checkpoint, folder.string() + hint, [&] { InputFile file(folder.path()); });
  expect_error(ErrorCode::Checkpoint,
               folder.string() + "/none: cannot open: No such file or directory",
               [&] { InputFile(folder.path() / "none"); });
}

}  // namespace
}  // namespace oneshot
