// Files of an output that are made as text: config.json, index, lock, report.
#pragma once

#include <filesystem>
#include <string_view>

namespace oneshot {

/// Writes a new file, mode 0644 less the umask, to disk; creates missing parent folders and
/// replaces an existing file. throws Resource when the disk is full, else Failed naming the file.
void write_small_file(const std::filesystem::path& path, std::string_view text);

}  // namespace oneshot
