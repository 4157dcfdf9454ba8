// How large the images of a family become, and how many places of the text they take up. Pixels are
// the business of image_processor.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/vision/image_config.h"

namespace oneshot {

/// The sizes of a family's images.
class ImageGeometry {
 public:
  virtual ~ImageGeometry() = default;
  /// How many places in the text an image of this size takes up.
  /// throws Checkpoint for a size that the family's processor refuses.
  virtual int64_t tokens(int64_t width, int64_t height) const = 0;
};

/// folder, config: as read_image_config(), and throws as it; Checkpoint and Unsupported, naming the
/// key, for values that are impossible or do not fit the model.
std::unique_ptr<ImageGeometry> make_image_geometry(const std::filesystem::path& folder,
                                                   const nlohmann::json& config);

/// LLaVA: the CLIP processor. One of `shortest_edge` and `exact`, or neither, says how to resize.
struct ClipSizes {
  bool pad_to_square = false;  // first of all, with the mean colour
  int64_t shortest_edge = 0;   // 0: not given
  std::optional<ImageSize> exact;
  std::optional<ImageSize> crop;  // cut from the centre, or padded with black
  int64_t tokens = 0;
};
ClipSizes read_clip_sizes(const ImageConfig& config);
/// The size after resizing: the short edge as given, the other in proportion, cut to whole pixels.
ImageSize clip_resize(ImageSize image, const ClipSizes& sizes);

/// Qwen2-VL and Qwen2.5-VL, in pixels: the edge of a patch, frames in one, patches merged an edge,
/// and how many pixels an image may have.
struct Qwen2VlSizes {
  int64_t patch = 14, frames = 2, merge = 2;
  int64_t min_pixels = 3136, max_pixels = 1003520;
};
Qwen2VlSizes read_qwen2_vl_sizes(const ImageConfig& config);
/// Both edges a multiple of patch · merge, the number of pixels between the limits, the proportion
/// nearly kept. throws Checkpoint when one edge is more than 200 times the other.
ImageSize smart_resize(ImageSize image, const Qwen2VlSizes& sizes);

/// Llama 3.2 Vision: square tiles, in pixels an edge.
struct MllamaSizes {
  int64_t tile = 560, most_tiles = 4;
};
struct MllamaTiling {
  int64_t tiles_high = 1, tiles_wide = 1;
  int64_t aspect_ratio_id = 1;  // from 1, in the order of (high, wide)
  ImageSize resized;            // within the canvas of the tiles
};
MllamaSizes read_mllama_sizes(const ImageConfig& config);
/// The canvas that enlarges the image least, else shrinks it least; the smallest of those.
MllamaTiling mllama_tiling(ImageSize image, const MllamaSizes& sizes);

/// Phi-3-vision and Phi-3.5-vision: square crops, in pixels an edge.
struct Phi3VSizes {
  int64_t crop = 336, patch = 14, most_crops = 1;
};
struct HdSize {
  bool upright = false;  // higher than wide: turned on its side before, and back afterwards
  ImageSize resized;     // lying
  ImageSize padded;      // lying: multiples of a crop
  ImageSize size() const { return upright ? ImageSize{padded.height, padded.width} : padded; }
};
Phi3VSizes read_phi3_v_sizes(const ImageConfig& config);
/// throws Checkpoint when the image is so thin that nothing of it would be left.
HdSize hd_size(ImageSize image, const Phi3VSizes& sizes);

/// CogVLM2: one square, in pixels an edge.
struct CogVlm2Sizes {
  int64_t edge = 1344, patch = 14;
};
CogVlm2Sizes read_cogvlm2_sizes(const ImageConfig& config);

}  // namespace oneshot
