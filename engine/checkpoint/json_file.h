// A small JSON file of a checkpoint: config.json, the index of the shards.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace oneshot {

enum class RepeatedKeys {
  LastCounts,  // as Python's json module reads it
  AreErrors,
};

/// The object in a JSON file.
/// throws Checkpoint with file:line:column when the file is missing, larger than 256 MiB, not JSON,
/// nested deeper than 100, or no object.
nlohmann::json read_json_object(const std::filesystem::path& file,
                                RepeatedKeys repeated = RepeatedKeys::LastCounts);

}  // namespace oneshot
