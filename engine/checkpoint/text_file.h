// A file of text, read whole.
#pragma once

#include <filesystem>
#include <string>

namespace oneshot {

/// what: names the file's part in messages, such as "--text".
/// throws Checkpoint when it cannot be read.
std::string read_text_file(const std::filesystem::path& file, const std::string& what);

}  // namespace oneshot
