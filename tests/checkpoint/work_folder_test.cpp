#include "engine/checkpoint/work_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/checkpoint/small_file.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

class WorkFolderTest : public testing::Test {
 protected:
  WorkFolderTest() : root_(folder_.path()), source_(root_ / "source") {
    write_file(source_ / "config.json", "{}");
  }
  void expect(ErrorCode code, const fs::path& output, const std::string& message) const {
    SCOPED_TRACE(output);
    expect_error(code, output.string() + message, [&] { WorkFolder work(output, source_); });
  }
  bool leaves_nothing_but(const std::vector<std::string>& names) const {
    size_t count = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(root_)) {
      count += 1;
      EXPECT_NE(std::find(names.begin(), names.end(), entry.path().filename()), names.end())
          << entry.path();
    }
    return count == names.size();
  }

  TemporaryFolder folder_;
  fs::path root_;
  fs::path source_;
};

TEST_F(WorkFolderTest, BecomesTheOutputWhenCommitted) {
  WorkFolder work(root_ / "out", source_);
  EXPECT_EQ(work.staging(), root_ / ".out.oneshot" / "output");
  EXPECT_EQ(work.output(), root_ / "out");
  EXPECT_TRUE(fs::is_empty(work.staging()));
  write_file(work.staging() / "a" / "b.txt", "text");
  EXPECT_FALSE(fs::exists(root_ / "out"));
  work.commit(false);
  EXPECT_EQ(read_file(root_ / "out" / "a" / "b.txt"), "text");
  EXPECT_TRUE(leaves_nothing_but({"source", "out"}));
}

TEST_F(WorkFolderTest, LeavesNothingWhenNotCommitted) {
  {
    WorkFolder work(root_ / "new" / "sub" / "out", source_);
    write_file(work.staging() / "a" / "b.txt", "text");
  }
  EXPECT_TRUE(leaves_nothing_but({"source"}));
}

TEST_F(WorkFolderTest, KeepsParentsThatItDidNotCreate) {
  fs::create_directories(root_ / "old");
  { WorkFolder work(root_ / "old" / "new" / "out", source_); }
  EXPECT_TRUE(fs::is_empty(root_ / "old"));
  WorkFolder work(root_ / "old" / "new" / "out", source_);
  work.commit(false);
  EXPECT_TRUE(fs::is_directory(root_ / "old" / "new" / "out"));
}

TEST_F(WorkFolderTest, ReplacesAnOutputOnlyWhenAsked) {
  write_file(root_ / "out" / "old.txt", "old");
  {
    WorkFolder work(root_ / "out", source_);
    write_file(work.staging() / "new.txt", "new");
    expect_error(ErrorCode::Recipe,
                 root_.string() +
                     "/out: the output exists already; choose another folder or pass --overwrite",
                 [&] { work.commit(false); });
  }
  EXPECT_EQ(read_file(root_ / "out" / "old.txt"), "old");
  {
    WorkFolder work(root_ / "out", source_);
    write_file(work.staging() / "new.txt", "new");
    work.commit(true);
  }
  EXPECT_EQ(read_file(root_ / "out" / "new.txt"), "new");
  EXPECT_FALSE(fs::exists(root_ / "out" / "old.txt"));
  EXPECT_TRUE(leaves_nothing_but({"source", "out"}));
}

TEST_F(WorkFolderTest, RefusesAnEmptyOutputFolderToo) {
  fs::create_directories(root_ / "out");
  WorkFolder work(root_ / "out", source_);
  expect_error(
      ErrorCode::Recipe,
      root_.string() + "/out: the output exists already; choose another folder or pass --overwrite",
      [&] { work.commit(false); });
}

TEST_F(WorkFolderTest, ReplacesWhereThereIsNothingYet) {
  WorkFolder work(root_ / "out", source_);
  work.commit(true);
  EXPECT_TRUE(leaves_nothing_but({"source", "out"}));
}

TEST_F(WorkFolderTest, KeepsTheLinkThatAnOutputIsReachedBy) {
  write_file(root_ / "disk" / "out" / "old.txt", "old");
  fs::create_directory_symlink("disk/out", root_ / "link");
  WorkFolder work(root_ / "link", source_);
  EXPECT_EQ(work.output(), root_ / "disk" / "out");
  write_file(work.staging() / "new.txt", "new");
  work.commit(true);
  EXPECT_EQ(read_file(root_ / "link" / "new.txt"), "new");
  EXPECT_TRUE(fs::is_symlink(root_ / "link"));
}

TEST_F(WorkFolderTest, TakesNamesInAnyForm) {
  auto output_of = [&](const fs::path& name) { return WorkFolder(name, source_).output(); };
  EXPECT_EQ(output_of(root_ / "out" / ""), root_ / "out");
  EXPECT_EQ(output_of(root_.string() + "//out//"), root_ / "out");
  EXPECT_EQ(output_of(root_ / "out" / "."), root_ / "out");
  EXPECT_EQ(output_of(root_ / "none" / ".." / "out"), root_ / "out");
}

TEST_F(WorkFolderTest, RefusesNamesThatCannotBeAnOutput) {
  expect(ErrorCode::Recipe, "", ": the output folder has no name");
  expect(ErrorCode::Recipe, "/", ": the root folder cannot be an output; name a folder in it");
  write_file(root_ / "file", "");
  expect(ErrorCode::Recipe, root_ / "file", ": exists and is a file; choose another output folder");
  fs::create_symlink("none", root_ / "dangling");
  expect(ErrorCode::Recipe,
         root_ / "dangling",
         ": a link to a folder that does not exist; choose another output folder");
  expect(ErrorCode::Recipe, "/proc", ": a mount point cannot be replaced; name a folder in it");
  expect_error(ErrorCode::Recipe,
               root_.string() +
                   "/file/in: cannot be a folder: Not a directory; choose another output folder",
               [&] { WorkFolder work(root_ / "file" / "in" / "out", source_); });
}

TEST_F(WorkFolderTest, RefusesTheCurrentFolder) {
  TemporaryFolder elsewhere;
  fs::path before = fs::current_path();
  fs::create_directories(elsewhere.path() / "a" / "b");
  fs::current_path(elsewhere.path() / "a" / "b");
  const fs::path places[] = {".", "./", "..", elsewhere.path() / "a"};
  for (const fs::path& place : places) {
    expect(ErrorCode::Recipe,
           place,
           ": the output would take the place of the current folder; name a new folder");
  }
  EXPECT_EQ(WorkFolder("out", source_).output(), elsewhere.path() / "a" / "b" / "out");
  EXPECT_EQ(WorkFolder("../out", source_).output(), elsewhere.path() / "a" / "out");
  fs::current_path(before);
}

TEST_F(WorkFolderTest, RefusesTheSourceUnderAnyName) {
  const std::string is_in = ": the output would be in the source checkpoint " + source_.string() +
                            "; choose a folder outside of it";
  const std::string holds = ": the output would take the place of the source checkpoint " +
                            source_.string() + "; choose another folder";
  fs::create_directory_symlink("source", root_ / "alias");
  fs::create_directory_symlink(".", root_ / "here");
  expect(ErrorCode::Recipe, source_, is_in);
  expect(ErrorCode::Recipe, source_ / "", is_in);
  expect(ErrorCode::Recipe, source_ / "out", is_in);
  expect(ErrorCode::Recipe, source_ / "new" / "out", is_in);
  expect(ErrorCode::Recipe, root_ / "alias", is_in);
  expect(ErrorCode::Recipe, root_ / "alias" / "out", is_in);
  expect(ErrorCode::Recipe, root_ / "here" / "source" / "out", is_in);
  expect(ErrorCode::Recipe, root_, holds);
  expect(ErrorCode::Recipe, root_ / "here", holds);
  EXPECT_TRUE(leaves_nothing_but({"source", "alias", "here"}));
}

TEST_F(WorkFolderTest, DoesNotClearASourceThatIsItsWorkFolder) {
  write_file(root_ / ".out.oneshot" / "output" / "config.json", "{}");
  fs::path source = root_ / ".out.oneshot" / "output";
  expect_error(ErrorCode::Recipe,
               root_.string() + "/out: the output would take the place of the source checkpoint " +
                   source.string() + "; choose another folder",
               [&] { WorkFolder work(root_ / "out", source); });
  EXPECT_TRUE(fs::exists(source / "config.json"));
}

TEST_F(WorkFolderTest, NeedsAFolderOfItsOwnName) {
  write_file(root_ / ".out.oneshot", "");
  expect_error(
      ErrorCode::Failed,
      root_.string() + "/.out.oneshot: needed as the work folder but is something else; remove it",
      [&] { WorkFolder work(root_ / "out", source_); });
  std::string name(250, 'n');
  expect_error(ErrorCode::Failed,
               root_.string() + "/." + name +
                   ".oneshot: cannot create the work folder: File name "
                   "too long",
               [&] { WorkFolder work(root_ / name, source_); });
}

/// Runs `action` in a child process that then lives until released; ends it without destructors.
class Child {
 public:
  explicit Child(const std::function<void()>& action) {
    if (pipe(ready_) != 0 || pipe(release_) != 0) {
      throw std::runtime_error("no pipe");
    }
    pid_ = fork();
    if (pid_ == 0) {
      action();
      char byte = 'r';
      bool told = write(ready_[1], &byte, 1) == 1 && read(release_[0], &byte, 1) >= 0;
      _exit(told ? 0 : 1);
    }
    char byte = 0;
    EXPECT_EQ(read(ready_[0], &byte, 1), 1);
  }
  void kill_it() {
    EXPECT_EQ(kill(pid_, SIGKILL), 0);
    EXPECT_EQ(waitpid(pid_, nullptr, 0), pid_);
  }
  ~Child() {
    for (int end : {ready_[0], ready_[1], release_[0], release_[1]}) {
      close(end);
    }
  }

 private:
  int ready_[2];
  int release_[2];
  pid_t pid_;
};

TEST_F(WorkFolderTest, IsHeldByOneRunAndClearedAfterACrash) {
  std::unique_ptr<WorkFolder> held;
  Child child([&] {
    held = std::make_unique<WorkFolder>(root_ / "out", source_);
    write_file(held->staging() / "half.safetensors", "half");
    write_file(root_ / ".out.oneshot" / "more" / "half", "half");
  });
  fs::path lock = root_ / ".out.oneshot" / "lock";
  expect(ErrorCode::Failed,
         root_ / "out",
         ": in use by another run (it holds " + lock.string() +
             "); wait for it or choose another output folder");
  EXPECT_TRUE(fs::exists(root_ / ".out.oneshot" / "output" / "half.safetensors"));

  child.kill_it();
  WorkFolder work(root_ / "out", source_);
  EXPECT_TRUE(fs::is_empty(work.staging()));
  EXPECT_FALSE(fs::exists(root_ / ".out.oneshot" / "more"));
  work.commit(false);
  EXPECT_TRUE(leaves_nothing_but({"source", "out"}));
}

// Runs that end remove the folder that others are about to lock.
TEST_F(WorkFolderTest, IsNeverHeldTwice) {
  std::atomic<int> holders{0};
  std::atomic<int> held{0};
  std::atomic<int> wrong{0};
  auto run = [&] {
    for (int i = 0; i < 200; ++i) {
      try {
        WorkFolder work(root_ / "out", source_);
        wrong += ++holders != 1;
        ++held;
        --holders;
      } catch (const Error& error) {
        wrong += error.code() != ErrorCode::Failed;
        wrong += std::string(error.what()).find("in use by another run") == std::string::npos;
      }
    }
  };
  std::vector<std::thread> threads(8);
  for (std::thread& thread : threads) {
    thread = std::thread(run);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(held, 0);
  EXPECT_TRUE(leaves_nothing_but({"source"}));
}

TEST_F(WorkFolderTest, WritesSmallFiles) {
  fs::path file = root_ / "new" / "sub" / "config.json";
  write_small_file(file, "a longer text");
  write_small_file(file, "text");
  EXPECT_EQ(read_file(file), "text");
  expect_error(ErrorCode::Failed,
               file.parent_path().string() + ": cannot be created: Is a directory",
               [&] { write_small_file(file.parent_path(), ""); });
}

TEST_F(WorkFolderTest, CopiesSmallFiles) {
  write_file(source_ / "tokenizer.json", "tokens");
  fs::permissions(source_ / "tokenizer.json", fs::perms::owner_read);
  fs::create_symlink("tokenizer.json", source_ / "link");
  mode_t mask = umask(0022);
  copy_file_bytes(source_ / "link", root_ / "new" / "sub" / "copy");
  umask(mask);
  EXPECT_EQ(read_file(root_ / "new" / "sub" / "copy"), "tokens");
  EXPECT_FALSE(fs::is_symlink(root_ / "new" / "sub" / "copy"));
  EXPECT_EQ(static_cast<unsigned>(fs::status(root_ / "new" / "sub" / "copy").permissions()), 0644u);
  expect_error(ErrorCode::Checkpoint,
               source_.string() + "/none: cannot open: No such file or directory",
               [&] { copy_file_bytes(source_ / "none", root_ / "copy"); });
  expect_error(
      ErrorCode::Failed,
      source_.string() + "/tokenizer.json/in: cannot create the folder: Not a directory",
      [&] { copy_file_bytes(source_ / "link", source_ / "tokenizer.json" / "in" / "copy"); });
}

}  // namespace
}  // namespace oneshot
