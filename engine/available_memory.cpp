#include "engine/available_memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace oneshot {
namespace {

namespace fs = std::filesystem;

/// MemAvailable of /proc/meminfo.
std::optional<uint64_t> available_in_system() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  uint64_t kibibytes = 0;
  std::string rest;
  while (file >> name >> kibibytes && std::getline(file, rest)) {
    if (name == "MemAvailable:") {
      return kibibytes * 1024;
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> number_in(const fs::path& file) {
  std::ifstream stream(file);
  uint64_t number = 0;
  return stream >> number ? std::optional(number) : std::nullopt;  // "max" is no number
}

/// What a group uses and the kernel can take back at once: cached files.
uint64_t reclaimable_in(const fs::path& group) {
  std::ifstream stat(group / "memory.stat");
  std::string name;
  for (uint64_t bytes = 0; stat >> name >> bytes;) {
    if (name == "inactive_file") {
      return bytes;
    }
  }
  return 0;
}

/// The smallest of what the groups around this process leave.
std::optional<uint64_t> available_in_group() {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  if (!std::getline(file, line) || !line.starts_with("0::/")) {
    return std::nullopt;
  }
  std::optional<uint64_t> least;
  const fs::path root = "/sys/fs/cgroup";
  for (fs::path group = root / line.substr(4); group != root.parent_path();
       group = group.parent_path()) {
    const std::optional<uint64_t> limit = number_in(group / "memory.max");
    const std::optional<uint64_t> used = number_in(group / "memory.current");
    if (limit && used) {
      const uint64_t taken = *used - std::min(*used, reclaimable_in(group));
      const uint64_t left = *limit - std::min(*limit, taken);
      least = std::min(least.value_or(left), left);
    }
  }
  return least;
}

}  // namespace

uint64_t available_memory() {
  const std::optional<uint64_t> system = available_in_system();
  const std::optional<uint64_t> group = available_in_group();
  return std::min(system.value_or(group.value_or(0)), group.value_or(system.value_or(0)));
}

}  // namespace oneshot
