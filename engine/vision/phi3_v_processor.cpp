// Phi-3-vision and Phi-3.5-vision: the whole image small, and crops of it large.
#include <ATen/ATen.h>

#include "engine/vision/canvas.h"
#include "engine/vision/image_geometry.h"
#include "engine/vision/image_processors.h"

namespace oneshot {
namespace {

constexpr Colour kWhite{255, 255, 255};

class Phi3VProcessor : public ImageProcessor {
 public:
  explicit Phi3VProcessor(const ImageConfig& config)
      : sizes_(read_phi3_v_sizes(config)),
        table_(torchvision_table(read_pixel_scale(config.processor_keys()))) {}

  ImageInput process(std::span<const Image> images) const override {
    const auto count = static_cast<int64_t>(images.size());
    at::Tensor pixels = at::zeros({count, 1 + sizes_.most_crops, 3, sizes_.crop, sizes_.crop});
    at::Tensor image_sizes = at::empty({count, 2}, at::kLong);
    for (int64_t i = 0; i < count; ++i) {
      const HdSize hd = hd_size(images[i].size(), sizes_);
      const at::Tensor values = to_values(enlarged(images[i], hd), table_);
      pixels[i][0].copy_(whole(values));
      const at::Tensor crops = crops_of(values);
      pixels[i].narrow(0, 1, crops.size(0)).copy_(crops);
      image_sizes[i][0] = values.size(1);
      image_sizes[i][1] = values.size(2);
    }
    return {{"pixel_values", pixels}, {"image_sizes", image_sizes}};
  }

 private:
  /// Resized lying on its side, padded above and below with white.
  static Image enlarged(const Image& image, const HdSize& hd) {
    const Image lying =
        resized(hd.upright ? transposed(image) : image, hd.resized, ResizeFilter::Bilinear);
    const int64_t top = (hd.padded.height - hd.resized.height) / 2;
    const Image padded = placed(lying, {hd.padded, 0, top, kWhite});
    return hd.upright ? transposed(padded) : padded;
  }

  /// [3, height, width] -> [3, crop, crop], without averaging, as the original code does
  at::Tensor whole(const at::Tensor& values) const {
    const std::array<int64_t, 2> size{sizes_.crop, sizes_.crop};
    return at::upsample_bicubic2d(values.unsqueeze(0), size, false).squeeze(0);
  }

  /// [3, height, width] -> [crops, 3, crop, crop], row by row
  at::Tensor crops_of(const at::Tensor& values) const {
    const int64_t crop = sizes_.crop;
    return values.view({3, values.size(1) / crop, crop, values.size(2) / crop, crop})
        .permute({1, 3, 0, 2, 4})
        .reshape({-1, 3, crop, crop});
  }

  Phi3VSizes sizes_;
  at::Tensor table_;  // [3, 256]
};

}  // namespace

std::unique_ptr<ImageProcessor> make_phi3_v_processor(const ImageConfig& config) {
  return std::make_unique<Phi3VProcessor>(config);
}

}  // namespace oneshot
