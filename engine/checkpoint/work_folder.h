// The folder beside the output in which a run works, so that an output that exists is complete.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/checkpoint/file_io.h"

namespace oneshot {

/// Ends the names of files in a progress folder that are being written.
inline constexpr const char* kUnfinished = ".unfinished";

/// How a run goes on where one like it was cut off.
struct Resumption {
  std::string job;       // what makes two runs the same; empty: nothing is kept of a run
  bool restart = false;  // what an earlier run left is thrown away, whatever it was
};

/// `.NAME.oneshot/` beside the output NAME: a `lock` that one run holds, the files to be in
/// `output/`, and where runs can be resumed `progress/`, with what run it is of in `job`. All but
/// progress is removed when the run ends in any way but a crash; what a crash left is cleared by
/// the next run.
class WorkFolder {
 public:
  /// Creates and locks the work folder. source: the checkpoint that is read.
  /// throws Recipe when the output is, is in, or holds the source or the current folder, or is a
  /// file, or when there is progress of another job; Failed when another run holds the lock or the
  /// folder cannot be written; Resource when the disk is full.
  WorkFolder(const std::filesystem::path& output,
             const std::filesystem::path& source,
             const Resumption& resumption = {});
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  /// Where to write: an empty folder on the same disk as the output.
  const std::filesystem::path& staging() const { return staging_; }
  /// For results that outlive the run unless it commits, files complete when they have their name.
  /// It holds those of an earlier run that was the same. Only of runs that can be resumed.
  const std::filesystem::path& progress() const { return progress_; }
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
  void clear_leftovers(const Resumption& resumption);
  bool has_progress() const;
  std::string job_of_progress() const;
  void publish(bool replace);
  void remove() noexcept;

  std::filesystem::path output_;
  std::filesystem::path folder_;
  std::filesystem::path staging_;
  std::filesystem::path progress_;
  std::filesystem::path replaced_;  // the old output, where two renames are needed
  std::vector<std::filesystem::path> created_parents_;  // outermost first
  FileDescriptor lock_;
  bool committed_ = false;
};

}  // namespace oneshot
