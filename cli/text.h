// Numbers and tables as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace oneshot::cli {

/// "512 B", "56.6 MB", "4.29 GB": decimal units, three digits.
std::string bytes_text(uint64_t bytes);

/// "57 ms", "4.2 s", "3 min 20 s", "2 h 05 min".
std::string seconds_text(double seconds);

/// "0.00213", "3.41e-06": three digits.
std::string number_text(double number);

/// Columns set with spaces; the last one is not padded. `right` says which are aligned to the
/// right. The first row is the heading.
std::string table_text(const std::vector<std::vector<std::string>>& rows,
                       const std::vector<bool>& right);

}  // namespace oneshot::cli
