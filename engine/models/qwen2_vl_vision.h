// The vision towers of Qwen2-VL (arXiv:2409.12191) and Qwen2.5-VL (arXiv:2502.13923).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph/vision_tower.h"
#include "engine/models/config_reader.h"
#include "engine/models/patch_grids.h"

namespace oneshot {

struct QwenVisionConfig {
  int64_t hidden_size = 0, intermediate_size = 0, layers = 0, heads = 0;
  int64_t out_size = 0;  // of the rows that a text gets
  int64_t channels = 3, patch_size = 14, frames_a_patch = 2;
  bool second_generation = false;    // RMS norms and gated MLPs
  int64_t window = 0;                // rows and columns of a window, in cells; 0: no windows
  std::vector<int64_t> full_layers;  // that see whole frames all the same
  std::string activation;
  std::string prefix;  // of its tensors, with the dot at its end
  PatchGridConfig grid;

  int64_t patch_values() const { return channels * frames_a_patch * patch_size * patch_size; }
};

/// The vision_config of a Qwen2-VL and of a Qwen2.5-VL; what is absent is as in Transformers.
/// throws Checkpoint for impossible sizes.
QwenVisionConfig read_qwen2_vision(const ConfigReader& config, std::string prefix);
QwenVisionConfig read_qwen2_5_vision(const ConfigReader& config, std::string prefix);

/// pixel_values [patches, patch values], in the order of patch_places(), of images; of videos in
/// "pixel_values_videos", with pixel_values of no rows where there are videos alone. Features: [1,
/// cells, out size], of images, then of videos. The context throws Checkpoint for values that are
/// not those of the grids.
std::unique_ptr<VisionTower> make_qwen_tower(const QwenVisionConfig& config);

}  // namespace oneshot
