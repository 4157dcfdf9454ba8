// Runs the oneshot program as a user does, and keeps what it printed.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace oneshot {

struct ProcessResult {
  int exit_code = -1;
  std::string out, error;
};

struct ProcessLimits {
  rlim_t largest_file = RLIM_INFINITY;  // bytes
};

/// The program with these arguments, in `folder`, without standard input.
inline ProcessResult run_oneshot(const TemporaryFolder& folder,
                                 const std::vector<std::string>& arguments,
                                 const ProcessLimits& limits = {}) {
  const std::string out = folder.string() + "/stdout.txt";
  const std::string error = folder.string() + "/stderr.txt";
  const pid_t child = fork();
  if (child == 0) {
    std::vector<std::string> words{ONESHOT_BINARY};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& word : words) {
      pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    const int null = open("/dev/null", O_RDONLY);
    const int out_file = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int error_file = open(error.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(null, STDIN_FILENO);
    dup2(out_file, STDOUT_FILENO);
    dup2(error_file, STDERR_FILENO);
    if (chdir(folder.string().c_str()) != 0) {
      _exit(126);
    }
    const rlimit limit{limits.largest_file, limits.largest_file};
    setrlimit(RLIMIT_FSIZE, &limit);
    execv(pointers[0], pointers.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ProcessResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = read_file(out);
  result.error = read_file(error);
  return result;
}

}  // namespace oneshot
