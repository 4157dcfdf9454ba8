#include "engine/written_checkpoint.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint/weight_files.h"
#include "engine/checkpoint/weight_header.h"
#include "engine/error.h"
#include "engine/tensor_bytes.h"

namespace oneshot {

WrittenCheckpoint::WrittenCheckpoint(const std::filesystem::path& folder,
                                     const std::filesystem::path& vision_tower)
    : config_(read_json_object(folder / "config.json")) {
  const WeightFiles found = find_weight_files(folder);
  for (const std::string& name : found.files) {
    add_file(folder / name, name, false);
  }
  for (const auto& [tensor, file] : found.file_of) {
    if (!places_.contains(tensor)) {
      throw Error(
          ErrorCode::Checkpoint,
          found.index + ": tensor '" + tensor + "' is not in " + file + ", where the index has it");
    }
  }
  tower_ = find_vision_tower(folder, config_, vision_tower);
  const bool has_own = std::any_of(specs_.begin(), specs_.end(), [](const TensorSpec& spec) {
    return is_tower_tensor(spec.name);
  });
  if (tower_ && !has_own) {
    for (const std::string& name : tower_->files) {
      add_file(tower_->folder / name, tower_->name_of(name), true);
    }
  }
}

void WrittenCheckpoint::add_file(const std::filesystem::path& path,
                                 const std::string& name,
                                 bool in_tower) {
  files_.push_back(std::make_unique<InputFile>(path));
  const InputFile& file = *files_.back();
  written_.push_back({name, file.size()});
  const WeightHeader header = in_tower ? read_tower_header(file) : read_weight_header(file);
  for (const TensorInfo& tensor : header.tensors) {
    const bool is_new =
        places_.try_emplace(tensor.name, Place{specs_.size(), files_.size() - 1, tensor.begin})
            .second;
    if (!is_new) {
      throw Error(ErrorCode::Checkpoint,
                  name + ": tensor '" + tensor.name + "' is in another file too");
    }
    specs_.push_back({tensor.name, tensor.dtype, tensor.shape});
  }
}

std::optional<TensorSpec> WrittenCheckpoint::spec(const std::string& name) const {
  const auto place = places_.find(name);
  return place == places_.end() ? std::nullopt : std::optional(specs_[place->second.spec]);
}

at::Tensor WrittenCheckpoint::read(const std::string& name) const {
  const Place& place = places_.at(name);
  const TensorSpec& spec = specs_[place.spec];
  std::vector<std::byte> scratch;
  const std::byte* bytes = files_[place.file]->fetch(place.offset, spec.bytes(), scratch);
  const at::Tensor tensor = tensor_of(bytes, spec.dtype, spec.shape);
  return scratch.empty() ? tensor : tensor.clone();  // mapped bytes live as long as the file
}

void WrittenCheckpoint::release(const std::string& name) const {
  const Place& place = places_.at(name);
  files_[place.file]->release(place.offset, specs_[place.spec].bytes());
}

}  // namespace oneshot
