// The vision tower that is a checkpoint of its own, as LLaVA's original layout has it: config.json
// names it as `mm_vision_tower`. Its tensors appear in the model under the names that checkpoints
// use which hold their tower themselves.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "engine/checkpoint/weight_header.h"

namespace oneshot {

struct TowerCheckpoint {
  std::filesystem::path folder;
  std::string inside;  // relative to the checkpoint; empty: it is elsewhere
  nlohmann::json config = nlohmann::json::object();  // its config.json
  std::set<std::string> files;  // that hold its weights, relative to its folder; may be none

  /// How lock and messages name a file: "clip/model.safetensors", or "vision_tower:
  /// model.safetensors" for a tower that is elsewhere.
  std::string name_of(const std::string& file) const;
};

/// Relative to a checkpoint, the place inside of it that its config names; else empty.
std::filesystem::path tower_place(const nlohmann::json& config);

/// The same where there is such a folder; else empty.
std::filesystem::path inner_tower_folder(const std::filesystem::path& checkpoint,
                                         const nlohmann::json& config);

/// The tower in the folder `given`; when that is empty, the one inside the checkpoint, where that
/// has a config.json; else null. One inside may be without weights: those of a quantized tower are
/// in the checkpoint itself. throws Recipe when one is given and the config names none, Checkpoint
/// when it is missing or damaged.
std::unique_ptr<const TowerCheckpoint> find_vision_tower(const std::filesystem::path& checkpoint,
                                                         const nlohmann::json& config,
                                                         const std::filesystem::path& given);

/// True for the tensor of a checkpoint that holds its tower itself.
bool is_tower_tensor(std::string_view name);

/// What is below `vision_model.` in a file of the tower, under the name it has in the model:
/// "model.vision_tower.vision_tower.vision_model.…". A text tower beside it is left out.
WeightHeader read_tower_header(const InputFile& file);

}  // namespace oneshot
