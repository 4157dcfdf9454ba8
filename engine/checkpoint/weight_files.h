// Which files of a source folder hold its weights.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

namespace oneshot {

struct WeightFiles {
  std::set<std::string> files;                 // relative to the folder
  std::string index;                           // relative; empty without an index
  std::map<std::string, std::string> file_of;  // tensor → file, as the index says; else empty
};

/// The files of model.safetensors.index.json or of the only *.safetensors.index.json; else
/// model.safetensors; else the only .safetensors. Without any of them, the files of
/// pytorch_model.bin.index.json; else pytorch_model.bin.
/// throws Checkpoint when there are no weights, more than one choice, or the index is damaged or
/// names a file outside the folder.
WeightFiles find_weight_files(const std::filesystem::path& folder);

}  // namespace oneshot
