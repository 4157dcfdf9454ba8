#include "engine/checkpoint/source.h"

#include <algorithm>
#include <array>
#include <set>
#include <system_error>
#include <utility>

#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/source_files.h"
#include "engine/checkpoint/weight_files.h"
#include "engine/checkpoint/weight_header.h"
#include "engine/error.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kQuantizedSuffixes{
    ".weight_packed", ".qweight", ".weight_scale", ".weight_scale_inv"};

[[noreturn]] void throw_bad(const fs::path& where, const std::string& what) {
  throw Error(ErrorCode::Checkpoint, one_line(where.string()) + ": " + what);
}

[[noreturn]] void throw_quantized(const fs::path& file, const std::string& by) {
  throw Error(ErrorCode::Unsupported,
              one_line(file.string()) + ": this checkpoint is quantized already (" + by +
                  "); use the one it was made from");
}

/// Throws when config.json says that the weights are quantized. prefix: "" or "text_config.".
void check_not_quantized(const nlohmann::json& config,
                         const std::string& prefix,
                         const fs::path& file) {
  for (const char* key : {"quantization_config", "compression_config"}) {
    auto found = config.find(key);
    if (found == config.end() || found->is_null()) {
      continue;
    }
    auto method = found->is_object() ? found->find("quant_method") : found->end();
    bool named = found->is_object() && method != found->end() && method->is_string();
    throw_quantized(file,
                    prefix + key +
                        (named ? ", quant_method " + in_quotes(method->get<std::string>())
                               : std::string(" without quant_method")));
  }
}

void check_not_quantized(const nlohmann::json& config, const fs::path& file) {
  check_not_quantized(config, "", file);
  auto text = config.find("text_config");
  if (text != config.end() && text->is_object()) {
    check_not_quantized(*text, "text_config.", file);
  }
}

/// Both ways: what the index lists is where it says, and it lists every tensor there is.
void check_index(const WeightFiles& weights, const SourceCheckpoint& source) {
  fs::path index = source.folder() / weights.index;
  for (const auto& [name, file] : weights.file_of) {
    const SourceTensor* tensor = source.find(name);
    if (tensor == nullptr) {
      throw_bad(index,
                "lists tensor " + in_quotes(name) + " in " + in_quotes(file) +
                    ", which does not hold it");
    }
    const std::string& holder = source.weight_files()[tensor->file].name;
    if (holder != file) {
      throw_bad(index,
                "lists tensor " + in_quotes(name) + " in " + in_quotes(file) + ", but it is in " +
                    in_quotes(holder));
    }
  }
  for (const SourceTensor& tensor : source.tensors()) {
    if (weights.file_of.count(tensor.name) == 0) {
      throw_bad(index,
                "does not list tensor " + in_quotes(tensor.name) + " of " +
                    in_quotes(source.weight_files()[tensor.file].name));
    }
  }
}

}  // namespace

SourceCheckpoint::SourceCheckpoint(const fs::path& folder, const fs::path& vision_tower)
    : folder_(folder) {
  std::error_code failure;
  fs::file_status status = fs::status(folder, failure);
  if (!fs::exists(status)) {
    throw_bad(folder, "the model folder does not exist");
  }
  if (!fs::is_directory(status)) {
    throw_bad(folder, "not a folder; name the folder that holds config.json and the weights");
  }
  if (fs::symlink_status(folder / "config.json", failure).type() == fs::file_type::not_found) {
    throw_bad(folder, "no config.json; name the folder of a Hugging Face checkpoint");
  }
  config_ = read_json_object(folder / "config.json");
  check_not_quantized(config_, folder / "config.json");

  WeightFiles weights = find_weight_files(folder);
  for (const std::string& name : weights.files) {
    open_weights(folder / name, name, false);
  }
  fill_names();
  if (!weights.index.empty()) {
    check_index(weights, *this);
  }
  first_tower_file_ = files_.size();
  tower_ = find_vision_tower(folder, config_, vision_tower);
  bool has_own = std::any_of(tensors_.begin(), tensors_.end(), [](const SourceTensor& tensor) {
    return is_tower_tensor(tensor.name);
  });
  if (tower_ && !has_own && !tower_->files.empty()) {
    open_tower();
    fill_names();
  }
  std::set<std::string> read = std::move(weights.files);
  read.insert(weights.index);
  SourceFiles others = list_source_files(folder, config_, read);
  copied_files_ = std::move(others.copied);
  left_out_files_ = std::move(others.left_out);
  tower_weight_files_ = std::move(others.tower_weights);
}

void SourceCheckpoint::open_tower() {
  check_not_quantized(tower_->config, tower_->folder / "config.json");
  size_t before = tensors_.size();
  for (const std::string& name : tower_->files) {
    open_weights(tower_->folder / name, tower_->name_of(name), true);
  }
  if (tensors_.size() == before) {
    throw_bad(tower_->folder, "no vision tower: its weights hold no tensor 'vision_model.…'");
  }
}

/// Anew, because views of short names move with their tensors.
void SourceCheckpoint::fill_names() {
  by_name_.clear();
  for (size_t i = 0; i < tensors_.size(); ++i) {
    auto [other, is_new] = by_name_.emplace(tensors_[i].name, i);
    if (!is_new) {
      throw_bad(folder_,
                "tensor " + in_quotes(tensors_[i].name) + " is in two files, " +
                    in_quotes(weight_files_[tensors_[other->second].file].name) + " and " +
                    in_quotes(weight_files_[tensors_[i].file].name));
    }
  }
}

void SourceCheckpoint::open_weights(const fs::path& path, const std::string& name, bool in_tower) {
  files_.push_back(std::make_unique<InputFile>(path));
  const InputFile& file = *files_.back();
  WeightHeader header = in_tower ? read_tower_header(file) : read_weight_header(file);
  for (TensorInfo& tensor : header.tensors) {
    for (std::string_view suffix : kQuantizedSuffixes) {
      if (tensor.name.ends_with(suffix)) {
        throw_quantized(file.path(), "tensor " + in_quotes(tensor.name));
      }
    }
    tensors_.push_back({std::move(tensor.name),
                        tensor.dtype,
                        std::move(tensor.shape),
                        files_.size() - 1,
                        tensor.begin,
                        tensor.bytes});
  }
  weight_files_.push_back({name, file.size(), std::move(header.sha256)});
}

const SourceTensor* SourceCheckpoint::find(std::string_view name) const {
  auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace oneshot
