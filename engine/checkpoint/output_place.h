// Where an output may go: a real name in a folder, clear of the source and of the current folder.
#pragma once

#include <filesystem>

namespace oneshot {

/// The absolute path of an output, links followed as far as it exists.
/// throws Recipe when it is empty, the root, a file, a mount point, a link that leads nowhere, or
/// is, is in, or holds `source`; or is or holds the current folder.
std::filesystem::path resolve_output(const std::filesystem::path& output,
                                     const std::filesystem::path& source);

/// throws Recipe when `place`, absolute, is, is in, or holds `source`, under any name that either
/// has. shown: what the user calls the place.
void check_apart(const std::filesystem::path& place,
                 const std::filesystem::path& source,
                 const std::filesystem::path& shown);

}  // namespace oneshot
