// From images to the tensors that a family's model reads.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/graph/image_input.h"
#include "engine/vision/image.h"

namespace oneshot {

/// A family's image processor, as Transformers' on Pillow computes (use_fast=False), or the code
/// that comes with the checkpoint. May be called from many threads at once.
class ImageProcessor {
 public:
  virtual ~ImageProcessor() = default;
  /// The images of one text, one or more, in their order. With side S, all float32 unless said:
  /// llava: pixel_values [images, 3, S, S]
  /// mllama: pixel_values [1, images, tiles, 3, S, S], aspect_ratio_ids [1, images] and
  ///   aspect_ratio_mask [1, images, tiles], both int64
  /// qwen2_vl, qwen2_5_vl: pixel_values [patches of all images, values of a patch],
  ///   image_grid_thw [images, 3] int64, in patches
  /// phi3_v: pixel_values [images, 1 + crops, 3, S, S], image_sizes [images, 2] int64, height and
  ///   width in pixels
  /// cogvlm2: pixel_values [images, 3, S, S]
  /// throws Checkpoint for an image of impossible proportions.
  virtual ImageInput process(std::span<const Image> images) const = 0;
};

/// folder, config: as read_image_config(), and throws as make_image_geometry().
std::unique_ptr<ImageProcessor> make_image_processor(const std::filesystem::path& folder,
                                                     const nlohmann::json& config);

}  // namespace oneshot
