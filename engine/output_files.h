// The files of an output beside its weights.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/checkpoint/source.h"
#include "engine/format.h"

namespace oneshot {

/// The source's config.json, with the dtype that everything is cast to, if any, also in its parts.
nlohmann::json output_config(const SourceCheckpoint& source, std::optional<Dtype> cast);

/// Of the source's copied_files(), the weights of the vision tower when the output holds its
/// tensors itself: they are not copied.
std::vector<std::string> left_tower_files(const Plan& plan, const SourceCheckpoint& source);

/// One checkpoint but for its weights: config, index, and what is copied byte for byte.
/// config: of output_config. throws what copying and writing throw.
void write_output_files(const PlannedOutput& output,
                        const Plan& plan,
                        const SourceCheckpoint& source,
                        const nlohmann::json& config,
                        const std::filesystem::path& folder);

}  // namespace oneshot
