#include "engine/checkpoint/work_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <set>
#include <string>
#include <system_error>

#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/output_place.h"
#include "engine/checkpoint/small_file.h"
#include "engine/error.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_failed(const fs::path& path, const std::string& what, int error_number) {
  throw_system_error(ErrorCode::Failed, one_line(path.string()) + ": " + what, error_number);
}

[[noreturn]] void throw_exists(const fs::path& output) {
  throw Error(ErrorCode::Recipe,
              one_line(output.string()) +
                  ": the output exists already; choose another folder or pass --overwrite");
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

constexpr const char* kJob = "job";
constexpr const char* kProgress = "progress";

/// Removes everything in the folder but `kept`.
void clear(const fs::path& folder, const std::set<fs::path>& kept, std::error_code& failure) {
  std::vector<fs::path> entries;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    entries.push_back(entry->path());
  }
  for (const fs::path& entry : entries) {
    if (!failure && !kept.contains(entry.filename())) {
      fs::remove_all(entry, failure);
    }
  }
}

void sync_tree(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.symlink_status().type() == fs::file_type::regular ||
        entry.symlink_status().type() == fs::file_type::directory) {
      sync_to_disk(entry.path());
    }
  }
  sync_to_disk(folder);
}

/// rename(2) with flags; an error number, 0 when done.
int rename_with(const fs::path& from, const fs::path& to, unsigned flags) {
  return renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0 ? 0 : errno;
}

bool is_missing(int error_number) {
  return error_number == EINVAL || error_number == ENOSYS;
}

}  // namespace

WorkFolder::WorkFolder(const fs::path& output, const fs::path& source, const Resumption& resumption)
    : output_(resolve_output(output, source)),
      folder_(output_.parent_path() / ("." + output_.filename().string() + ".oneshot")),
      staging_(folder_ / "output"),
      progress_(folder_ / kProgress),
      replaced_(folder_ / "replaced") {
  check_apart(folder_, source, output);
  try {
    create_parents();
    lock();
    clear_leftovers(resumption);
    if (!resumption.job.empty()) {
      write_small_file(folder_ / kJob, resumption.job);
      fs::create_directory(progress_);
    }
    if (mkdir(staging_.c_str(), 0777) != 0) {
      throw_failed(staging_, "cannot create the folder", errno);
    }
  } catch (...) {
    remove();
    throw;
  }
}

WorkFolder::~WorkFolder() {
  remove();
}

void WorkFolder::create_parents() {
  std::vector<fs::path> missing;
  for (fs::path parent = output_.parent_path(); !is_there(parent); parent = parent.parent_path()) {
    missing.push_back(parent);
  }
  for (auto parent = missing.rbegin(); parent != missing.rend(); ++parent) {
    if (mkdir(parent->c_str(), 0777) == 0) {
      created_parents_.push_back(*parent);
    } else if (errno == ENOTDIR || errno == ENAMETOOLONG) {
      throw Error(ErrorCode::Recipe,
                  one_line(parent->string()) + ": cannot be a folder: " +
                      std::generic_category().message(errno) + "; choose another output folder");
    } else if (errno != EEXIST) {
      throw_failed(*parent, "cannot create the folder", errno);
    }
  }
}

/// Another run that ends removes the folder; then it is made anew and locked again.
void WorkFolder::lock() {
  while (!try_lock()) {
  }
}

/// True when this run holds the lock; false when the folder or its lock were removed meanwhile.
bool WorkFolder::try_lock() {
  fs::path path = folder_ / "lock";
  if (mkdir(folder_.c_str(), 0777) != 0 && errno != EEXIST) {
    throw_failed(folder_, "cannot create the work folder", errno);
  }
  struct stat folder {};
  if (lstat(folder_.c_str(), &folder) == 0 && !S_ISDIR(folder.st_mode)) {
    throw Error(ErrorCode::Failed,
                one_line(folder_.string()) +
                    ": needed as the work folder but is something else; remove it");
  }
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!file.is_open() && errno == ENOENT) {
    return false;
  }
  if (!file.is_open()) {
    int reason = errno;
    rmdir(folder_.c_str());
    throw_failed(path, "cannot create the lock", reason);
  }
  while (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      throw Error(ErrorCode::Failed,
                  one_line(output_.string()) + ": in use by another run (it holds " +
                      one_line(path.string()) + "); wait for it or choose another output folder");
    }
    if (errno != EINTR) {
      throw_failed(path, "cannot lock", errno);
    }
  }
  struct stat held {};
  struct stat named {};
  if (fstat(file.get(), &held) != 0 || stat(path.c_str(), &named) != 0 ||
      held.st_ino != named.st_ino || held.st_dev != named.st_dev) {
    return false;
  }
  lock_ = std::move(file);
  return true;
}

/// After a crash or a failure between the two renames of publish() the old output is the only one.
/// Returns an error number, 0 when there is nothing left to put back.
int WorkFolder::put_back_replaced() const {
  bool only_one = is_there(replaced_) && !is_there(output_);
  return only_one ? rename_with(replaced_, output_, 0) : 0;
}

bool WorkFolder::has_progress() const {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(progress_, ignored)) {
    if (entry.path().extension() != kUnfinished) {
      return true;
    }
  }
  return false;
}

std::string WorkFolder::job_of_progress() const {
  std::ifstream file(folder_ / kJob, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WorkFolder::clear_leftovers(const Resumption& resumption) {
  int failed = put_back_replaced();
  if (failed != 0) {
    throw_failed(output_, "cannot put back the output that an earlier run moved away", failed);
  }
  std::set<fs::path> kept{"lock"};
  if (!resumption.restart && has_progress()) {
    if (job_of_progress() != resumption.job) {
      throw Error(
          ErrorCode::Recipe,
          one_line(progress_.string()) +
              ": holds the progress of a run with another recipe, model, data or version "
              "that was cut off; --restart throws it away, or choose another output folder");
    }
    kept.insert({kJob, kProgress});
  }
  std::error_code failure;
  clear(folder_, kept, failure);
  if (failure) {
    throw_failed(folder_, "cannot clear what an earlier run left", failure.value());
  }
}

void WorkFolder::commit(bool replace) {
  if (committed_) {
    throw Error(ErrorCode::Failed, one_line(output_.string()) + ": committed twice");
  }
  try {
    sync_tree(staging_);
  } catch (const fs::filesystem_error& error) {
    throw_failed(staging_, "cannot list the folder", error.code().value());
  }
  publish(replace);
  committed_ = true;
  sync_to_disk(output_.parent_path());
  for (const fs::path& parent : created_parents_) {
    sync_to_disk(parent.parent_path());
  }
  remove();
}

void WorkFolder::publish(bool replace) {
  int failed = rename_with(staging_, output_, RENAME_NOREPLACE);
  if (is_missing(failed)) {
    failed = is_there(output_) ? EEXIST : rename_with(staging_, output_, 0);
  }
  if (failed == 0) {
    return;
  }
  if (failed != EEXIST) {
    throw_failed(output_, "cannot give the output its name", failed);
  }
  if (!replace) {
    throw_exists(output_);
  }
  failed = rename_with(staging_, output_, RENAME_EXCHANGE);
  if (is_missing(failed)) {
    failed = rename_with(output_, replaced_, 0);
    if (failed == 0) {
      failed = rename_with(staging_, output_, 0);
    }
  }
  if (failed != 0) {
    throw_failed(output_, "cannot replace the output", failed);
  }
}

/// Removes the work folder when this run holds it, the lock last: whoever takes the lock after that
/// finds that the name is gone and makes the folder anew.
void WorkFolder::remove() noexcept {
  std::error_code ignored;
  if (lock_.is_open()) {
    try {
      if (put_back_replaced() == 0) {
        const bool resumable = !committed_ && has_progress();
        clear(folder_,
              resumable ? std::set<fs::path>{"lock", kJob, kProgress} : std::set<fs::path>{"lock"},
              ignored);
        if (!resumable) {
          fs::remove(folder_ / "lock", ignored);
          fs::remove(folder_, ignored);
        }
      }
    } catch (const std::bad_alloc&) {
      // The next run clears what stays.
    }
    lock_.close();
  }
  if (!committed_) {
    std::for_each(created_parents_.rbegin(), created_parents_.rend(), [](const fs::path& parent) {
      rmdir(parent.c_str());
    });
    created_parents_.clear();
  }
}

}  // namespace oneshot
