// The vision tower of Llama-3.2-Vision: images come in tiles, all of which one transformer reads
// together, and a second one, whose layers are gated, after it. Source: arXiv:2407.21783,
// section 7.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph/vision_tower.h"
#include "engine/models/config_reader.h"

namespace oneshot {

struct MllamaVisionConfig {
  int64_t hidden_size = 1280, intermediate_size = 5120, heads = 16;
  int64_t layers = 32, global_layers = 8;
  int64_t image_size = 448, patch_size = 14, channels = 3,
          tiles = 4;  // tiles: of an image, at most
  double norm_epsilon = 1e-5;
  std::string activation = "gelu";
  /// Layers whose inputs are features too, as the checkpoints were trained; Transformers since 4.54
  /// takes their outputs.
  std::vector<int64_t> feature_layers;
  std::vector<int64_t> tiles_of_ratio;  // by aspect ratio id − 1
  std::string prefix;                   // of its tensors, with the dot at its end
  std::string projector;                // the Linear behind it
  int64_t text_size = 0;                // that it projects to

  /// Of a tile, the class token first.
  int64_t tokens() const { return (image_size / patch_size) * (image_size / patch_size) + 1; }
  /// With the padding to a multiple of 8.
  int64_t padded_tokens() const { return (tokens() + 7) / 8 * 8; }
  /// Rows of the tables by aspect ratio id; id 0 is an image that is not there.
  int64_t ratio_ids() const { return static_cast<int64_t>(tiles_of_ratio.size()) + 1; }
  int64_t features() const {
    return hidden_size * (1 + static_cast<int64_t>(feature_layers.size()));
  }
};

/// Keys of the section vision_config; what is absent is as in Transformers. The last three fields
/// are left to the caller. throws Checkpoint for impossible values.
MllamaVisionConfig read_mllama_vision(const nlohmann::json& config);

/// Which tiles of each image are there: bool [images, tiles], from "aspect_ratio_mask", else from
/// "aspect_ratio_ids". throws Checkpoint for those that do not fit the config.
at::Tensor mllama_tiles(const MllamaVisionConfig& config, const ImageInput& images);

/// "pixel_values" [1, images, tiles, channels, image size, image size], "aspect_ratio_ids" [1,
/// images], "aspect_ratio_mask" [1, images, tiles] (may be absent) → features [images · tiles,
/// tokens, text size]. States are [images, tiles · padded tokens, hidden size].
std::unique_ptr<VisionTower> make_mllama_tower(const MllamaVisionConfig& config);

}  // namespace oneshot
