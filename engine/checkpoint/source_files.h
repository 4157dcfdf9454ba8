// What goes from a source folder into the output as it is: everything but weights, what this engine
// writes itself, and hidden files.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

namespace oneshot {

struct SourceFiles {
  std::vector<std::string> copied;         // relative paths, sorted
  std::vector<std::string> left_out;       // the same; a folder that was not entered ends in '/'
  std::vector<std::string> tower_weights;  // of `copied`, weights of the tower folder and indexes
};

/// Sorts the files of a folder and its sub-folders, following links.
/// - Left out: .safetensors .bin .pth .pt .ckpt .msgpack .h5 .onnx .gguf and their indexes, but for
///   those inside the folder that config.json names as `mm_vision_tower`; at the top also
///   quantization_config.json, quantize_config.json, recipe.yaml, oneshot.lock.json, report.json;
///   hidden files and folders; a linked folder that leads back to a folder it is in.
/// - In neither list: `read`, and config.json at the top, which the output gets anew.
/// throws Checkpoint for a pipe, socket or device, a link that leads nowhere, a file that may not
/// be read, a name that is not UTF-8, and more than 20 000 files.
SourceFiles list_source_files(const std::filesystem::path& folder,
                              const nlohmann::json& config,
                              const std::set<std::string>& read);

}  // namespace oneshot
