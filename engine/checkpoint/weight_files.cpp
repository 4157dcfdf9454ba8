#include "engine/checkpoint/weight_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <vector>

#include "engine/checkpoint/file_io.h"
#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kSingle = "model.safetensors";
constexpr const char* kBinIndex = "pytorch_model.bin.index.json";
constexpr const char* kBin = "pytorch_model.bin";
constexpr size_t kNamesInMessage = 5;

[[noreturn]] void throw_bad(const fs::path& where, const std::string& what) {
  throw Error(ErrorCode::Checkpoint, one_line(where.string()) + ": " + what);
}

/// Visible names in the folder that end in `ending`, sorted. Links that lead nowhere count: opening
/// them says what is missing.
std::vector<std::string> names_ending_in(const fs::path& folder, std::string_view ending) {
  std::vector<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (name.ends_with(ending) && name.front() != '.' && !entry->is_directory(ignored)) {
      names.push_back(name);
    }
  }
  if (failure) {
    throw_system_error(ErrorCode::Checkpoint,
                       one_line(folder.string()) + ": cannot list the folder",
                       failure.value());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamesInMessage); ++i) {
    text += (i == 0 ? "" : ", ") + one_line(names[i]);
  }
  size_t more = names.size() - std::min(names.size(), kNamesInMessage);
  return more == 0 ? text : text + " and " + std::to_string(more) + " more";
}

/// The name of a shard in its plain form.
std::string checked_file_name(const fs::path& index, const std::string& name) {
  fs::path path(name);
  bool leaves = path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end();
  std::string plain = path.lexically_normal().string();
  if (leaves || plain.empty() || plain == "." || plain.ends_with('/') ||
      name.find('\0') != std::string::npos) {
    throw_bad(index, "names the file " + in_quotes(name) + ", which is no file of this folder");
  }
  return plain;
}

WeightFiles read_index(const fs::path& folder, const std::string& name) {
  fs::path index = folder / name;
  nlohmann::json json = read_json_object(index, RepeatedKeys::AreErrors);
  auto map = json.find("weight_map");
  if (map == json.end() || !map->is_object() || map->empty()) {
    throw_bad(index, "has no 'weight_map' that names the file of each tensor");
  }
  WeightFiles weights;
  weights.index = name;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) {
      throw_bad(index, "the file of tensor " + in_quotes(tensor) + " is no string");
    }
    std::string plain = checked_file_name(index, file.get<std::string>());
    std::error_code ignored;
    if (weights.files.insert(plain).second && !fs::exists(folder / plain, ignored)) {
      throw_bad(index,
                "names the file " + in_quotes(plain) +
                    ", which does not exist; get it or its link "
                    "target");
    }
    weights.file_of[tensor] = plain;
  }
  return weights;
}

/// What torch.save wrote.
WeightFiles find_bin_files(const fs::path& folder) {
  std::vector<std::string> indexes = names_ending_in(folder, kBinIndex);
  if (std::count(indexes.begin(), indexes.end(), kBinIndex) != 0) {
    return read_index(folder, kBinIndex);
  }
  std::vector<std::string> files = names_ending_in(folder, ".bin");
  if (std::count(files.begin(), files.end(), kBin) != 0) {
    return {{kBin}, "", {}};
  }
  std::erase(files, "training_args.bin");
  if (!files.empty()) {
    throw_bad(
        folder,
        "are " + list(files) + " the weights? Add " + kBinIndex + " or name the file " + kBin);
  }
  throw_bad(folder,
            std::string("no weights found: no .safetensors file, no index of some, no ") + kBin);
}

}  // namespace

WeightFiles find_weight_files(const fs::path& folder) {
  std::vector<std::string> indexes = names_ending_in(folder, ".safetensors.index.json");
  if (std::count(indexes.begin(), indexes.end(), kIndex) != 0) {
    return read_index(folder, kIndex);
  }
  if (indexes.size() == 1) {
    return read_index(folder, indexes.front());
  }
  std::vector<std::string> files = names_ending_in(folder, ".safetensors");
  if (std::count(files.begin(), files.end(), kSingle) != 0) {
    return {{kSingle}, "", {}};
  }
  if (files.empty()) {
    return find_bin_files(folder);
  }
  if (files.size() > 1) {
    throw_bad(folder,
              "which of " + list(files) + " are the weights? Add " + kIndex +
                  " or keep one of them as " + kSingle);
  }
  return {{files.front()}, "", {}};
}

}  // namespace oneshot
