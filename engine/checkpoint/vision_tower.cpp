#include "engine/checkpoint/vision_tower.h"

#include <algorithm>
#include <system_error>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/weight_files.h"
#include "engine/error.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKey = "mm_vision_tower";
constexpr std::string_view kOwnTower = "model.vision_tower.";
constexpr std::string_view kInModel = "model.vision_tower.vision_tower.";
constexpr std::string_view kVisionPart = "vision_model.";

bool has_weights(const fs::path& folder) {
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const fs::path extension = entry->path().extension();
    if (extension == ".safetensors" || extension == ".bin") {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string TowerCheckpoint::name_of(const std::string& file) const {
  return inside.empty() ? "vision_tower: " + file : inside + "/" + file;
}

fs::path tower_place(const nlohmann::json& config) {
  auto tower = config.find(kKey);
  if (tower == config.end() || !tower->is_string()) {
    return {};
  }
  fs::path path = fs::path(tower->get<std::string>()).lexically_normal();
  if (!path.has_filename()) {
    path = path.parent_path();
  }
  bool inside = !path.empty() && path.is_relative() && path != "." && *path.begin() != "..";
  return inside ? path : fs::path();
}

fs::path inner_tower_folder(const fs::path& checkpoint, const nlohmann::json& config) {
  fs::path place = tower_place(config);
  std::error_code ignored;
  return !place.empty() && fs::is_directory(checkpoint / place, ignored) ? place : fs::path();
}

std::unique_ptr<const TowerCheckpoint> find_vision_tower(const fs::path& checkpoint,
                                                         const nlohmann::json& config,
                                                         const fs::path& given) {
  auto tower = std::make_unique<TowerCheckpoint>();
  tower->folder = given;
  if (given.empty()) {
    tower->inside = inner_tower_folder(checkpoint, config).string();
    tower->folder = checkpoint / tower->inside;
    std::error_code ignored;
    if (tower->inside.empty() || !fs::exists(tower->folder / "config.json", ignored)) {
      return nullptr;
    }
  } else if (!config.contains(kKey)) {
    throw Error(ErrorCode::Recipe,
                one_line((checkpoint / "config.json").string()) + ": names no " + kKey +
                    ", so the vision tower " + in_quotes(given.string()) +
                    " has no place in this model; leave vision_tower out");
  }
  tower->config = read_json_object(tower->folder / "config.json");
  if (!given.empty() || has_weights(tower->folder)) {
    tower->files = find_weight_files(tower->folder).files;
  }
  return tower;
}

bool is_tower_tensor(std::string_view name) {
  return name.starts_with(kOwnTower);
}

WeightHeader read_tower_header(const InputFile& file) {
  WeightHeader header = read_weight_header(file);
  std::erase_if(header.tensors,
                [](const TensorInfo& tensor) { return !tensor.name.starts_with(kVisionPart); });
  for (TensorInfo& tensor : header.tensors) {
    tensor.name = std::string(kInModel) + tensor.name;
  }
  return header;
}

}  // namespace oneshot
