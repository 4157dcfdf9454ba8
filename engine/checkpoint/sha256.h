// SHA-256, in lower-case hexadecimal.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace oneshot {

std::string sha256_hex(std::string_view bytes);

/// Of the whole contents of a file, read in pieces of 1 MiB.
/// throws Checkpoint when the file cannot be read.
std::string sha256_file_hex(const std::filesystem::path& file);

}  // namespace oneshot
