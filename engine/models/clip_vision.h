// CLIP's vision transformer, the tower of LLaVA-1.5 and Phi-3-vision. Source: arXiv:2103.00020.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph/vision_tower.h"
#include "engine/models/config_reader.h"

namespace oneshot {

struct ClipVisionConfig {
  int64_t hidden_size = 1024, intermediate_size = 4096, layers = 24, heads = 16;
  int64_t image_size = 336, patch_size = 14, channels = 3;
  double norm_epsilon = 1e-5;
  std::string activation = "quick_gelu";
  std::string prefix;  // of its tensors, with the dot at its end

  int64_t patches() const { return (image_size / patch_size) * (image_size / patch_size); }
};

/// Keys of a config of model type clip_vision_model; what is absent is as in Transformers.
/// throws Checkpoint for impossible sizes.
ClipVisionConfig read_clip_vision(const ConfigReader& config, std::string prefix);

/// The hidden state that a layer number of Transformers means; negative ones count from the end.
/// throws Checkpoint where there is none.
size_t clip_state(const ClipVisionConfig& config, int64_t layer);

/// The embedding and the layers: block i gives the hidden state i of Transformers.
/// pixel_values [..., channels, image size, image size] → [n, patches + 1, hidden size], n images.
std::vector<std::unique_ptr<Block>> clip_blocks(const ClipVisionConfig& config);

}  // namespace oneshot
