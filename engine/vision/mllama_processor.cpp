// Llama 3.2 Vision: the image on a canvas of tiles.
#include <ATen/ATen.h>

#include "engine/vision/canvas.h"
#include "engine/vision/image_geometry.h"
#include "engine/vision/image_processors.h"

namespace oneshot {
namespace {

/// The defaults of the processor's class, which the hub's files override.
constexpr std::array<double, 3> kHalf{0.5, 0.5, 0.5};

class MllamaProcessor : public ImageProcessor {
 public:
  explicit MllamaProcessor(const ImageConfig& config)
      : sizes_(read_mllama_sizes(config)),
        filter_(read_filter(config.processor_keys(), ResizeFilter::Bilinear)),
        table_(value_table(read_pixel_scale(config.processor_keys(), kHalf, kHalf))) {}

  ImageInput process(std::span<const Image> images) const override {
    const auto count = static_cast<int64_t>(images.size());
    const int64_t tile = sizes_.tile;
    at::Tensor pixels = at::zeros({1, count, sizes_.most_tiles, 3, tile, tile});
    at::Tensor ids = at::zeros({1, count}, at::kLong);
    at::Tensor mask = at::zeros({1, count, sizes_.most_tiles}, at::kLong);
    for (int64_t i = 0; i < count; ++i) {
      const MllamaTiling tiling = mllama_tiling(images[i].size(), sizes_);
      const int64_t tiles = tiling.tiles_high * tiling.tiles_wide;
      pixels[0][i].narrow(0, 0, tiles).copy_(tiles_of(images[i], tiling));
      ids[0][i] = tiling.aspect_ratio_id;
      mask[0][i].narrow(0, 0, tiles).fill_(1);
    }
    return {{"pixel_values", pixels}, {"aspect_ratio_ids", ids}, {"aspect_ratio_mask", mask}};
  }

 private:
  /// [tiles, 3, tile, tile], row by row
  at::Tensor tiles_of(const Image& image, const MllamaTiling& tiling) const {
    const int64_t tile = sizes_.tile;
    const Image small = resized(over_white(image), tiling.resized, filter_);
    const Image canvas =
        placed(small, {{tiling.tiles_wide * tile, tiling.tiles_high * tile}, 0, 0, {0, 0, 0}});
    return to_values(canvas, table_)
        .view({3, tiling.tiles_high, tile, tiling.tiles_wide, tile})
        .permute({1, 3, 0, 2, 4})
        .reshape({-1, 3, tile, tile});
  }

  MllamaSizes sizes_;
  ResizeFilter filter_;
  at::Tensor table_;  // [3, 256]
};

}  // namespace

std::unique_ptr<ImageProcessor> make_mllama_processor(const ImageConfig& config) {
  return std::make_unique<MllamaProcessor>(config);
}

}  // namespace oneshot
