// The folder beside the output in which a run works, so that an output that exists is complete.
#pragma once

#include <filesystem>
#include <vector>

#include "engine/checkpoint/file_io.h"

namespace oneshot {

/// `.NAME.oneshot/` beside the output NAME: a `lock` that one run holds, and the files to be in
/// `output/`. Removed when the run ends in any way but a crash; what a crash left is cleared by the
/// next run.
class WorkFolder {
 public:
  /// Creates and locks the work folder. source: the checkpoint that is read.
  /// throws Recipe when the output is, is in, or holds the source or the current folder, or is a
  /// file; Failed when another run holds the lock or the folder cannot be written; Resource when
  /// the disk is full.
  WorkFolder(const std::filesystem::path& output, const std::filesystem::path& source);
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  /// Where to write: an empty folder on the same disk as the output.
  const std::filesystem::path& staging() const { return staging_; }
  /// The output's absolute path, without links.
  const std::filesystem::path& output() const { return output_; }

  /// Brings everything to disk and gives it the output's name in one step. Call once, last.
  /// replace: put it in the place of an existing output, which is removed.
  /// throws Recipe when there is an output already and `replace` is false; Failed, Resource.
  void commit(bool replace);

 private:
  void create_parents();
  void lock();
  bool try_lock();
  int put_back_replaced() const;
  void clear_leftovers();
  void publish(bool replace);
  void remove() noexcept;

  std::filesystem::path output_;
  std::filesystem::path folder_;
  std::filesystem::path staging_;
  std::filesystem::path replaced_;  // the old output, where two renames are needed
  std::vector<std::filesystem::path> created_parents_;  // outermost first
  FileDescriptor lock_;
  bool committed_ = false;
};

}  // namespace oneshot
