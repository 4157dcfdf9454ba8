// oneshot.lock.json: what an output was made from. The same lock means the same bytes.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/oneshot.h"

namespace oneshot {

inline constexpr const char* kLockFile = "oneshot.lock.json";

/// Known before the run. data: empty when there is no calibration. `hash_contents` reads all weight
/// files.
nlohmann::json make_lock(const Job& job,
                         const SourceCheckpoint& source,
                         const Plan& plan,
                         const CalibrationData& data,
                         bool hash_contents);

/// The lock of an existing output; nothing when the folder has none that can be read.
std::optional<nlohmann::json> read_lock(const std::filesystem::path& output);

}  // namespace oneshot
