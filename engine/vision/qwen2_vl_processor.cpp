// Qwen2-VL and Qwen2.5-VL: patches in rows, those that will be merged next to each other.
#include <ATen/ATen.h>

#include "engine/vision/image_geometry.h"
#include "engine/vision/image_processors.h"

namespace oneshot {
namespace {

class Qwen2VlProcessor : public ImageProcessor {
 public:
  explicit Qwen2VlProcessor(const ImageConfig& config)
      : sizes_(read_qwen2_vl_sizes(config)),
        filter_(read_filter(config.processor_keys(), ResizeFilter::Bicubic)),
        table_(value_table(read_pixel_scale(config.processor_keys()))) {}

  ImageInput process(std::span<const Image> images) const override {
    std::vector<at::Tensor> patches;
    const auto count = static_cast<int64_t>(images.size());
    at::Tensor grids = at::ones({count, 3}, at::kLong);  // one frame each
    for (int64_t i = 0; i < count; ++i) {
      const ImageSize size = smart_resize(images[i].size(), sizes_);
      patches.push_back(patches_of(to_values(resized(images[i], size, filter_), table_)));
      grids[i][1] = size.height / sizes_.patch;
      grids[i][2] = size.width / sizes_.patch;
    }
    return {{"pixel_values", at::cat(patches)}, {"image_grid_thw", grids}};
  }

 private:
  /// values [3, height, width]. returns [patches, 3 · frames · patch · patch]: a row is a patch, by
  /// channel, frame (an image is one frame, repeated), y, x; the patches of a merged cell follow
  /// each other
  at::Tensor patches_of(const at::Tensor& values) const {
    const auto [patch, frames, merge, min_pixels, max_pixels] = sizes_;
    const int64_t high = values.size(1) / (patch * merge);
    const int64_t wide = values.size(2) / (patch * merge);
    return values.view({3, high, merge, patch, wide, merge, patch})
        .permute({1, 4, 2, 5, 0, 3, 6})
        .unsqueeze(5)  // [high, wide, merge, merge, 3, 1, patch, patch]
        .expand({high, wide, merge, merge, 3, frames, patch, patch})
        .reshape({high * wide * merge * merge, 3 * frames * patch * patch});
  }

  Qwen2VlSizes sizes_;
  ResizeFilter filter_;
  at::Tensor table_;  // [3, 256]
};

}  // namespace

std::unique_ptr<ImageProcessor> make_qwen2_vl_processor(const ImageConfig& config) {
  return std::make_unique<Qwen2VlProcessor>(config);
}

}  // namespace oneshot
