// LLaVA: pad to a square where the original code does, resize, cut the centre out.
#include <ATen/ATen.h>

#include "engine/vision/canvas.h"
#include "engine/vision/image_geometry.h"
#include "engine/vision/image_processors.h"

namespace oneshot {
namespace {

class ClipProcessor : public ImageProcessor {
 public:
  explicit ClipProcessor(const ImageConfig& config)
      : sizes_(read_clip_sizes(config)),
        filter_(read_filter(config.processor_keys(), ResizeFilter::Bicubic)),
        table_(value_table(read_pixel_scale(config.processor_keys()))) {
    const auto mean = config.processor_keys().colours("image_mean", kClipMean);
    for (size_t channel = 0; channel < mean.size(); ++channel) {
      ground_[channel] = static_cast<uint8_t>(mean[channel] * 255);
    }
  }

  ImageInput process(std::span<const Image> images) const override {
    std::vector<at::Tensor> values;
    for (const Image& image : images) {
      values.push_back(to_values(sized(image), table_));
    }
    return {{"pixel_values", at::stack(values)}};
  }

 private:
  Image sized(const Image& image) const {
    Image sized = sizes_.pad_to_square ? squared(image) : image;
    sized = resized(sized, clip_resize(sized.size(), sizes_), filter_);
    return sizes_.crop ? placed(sized, centred(sized.size(), *sizes_.crop)) : sized;
  }

  Image squared(const Image& image) const {
    const int64_t edge = std::max(image.width, image.height);
    return placed(image,
                  {{edge, edge}, (edge - image.width) / 2, (edge - image.height) / 2, ground_});
  }

  ClipSizes sizes_;
  ResizeFilter filter_;
  at::Tensor table_;  // [3, 256]
  Colour ground_ = {};
};

}  // namespace

std::unique_ptr<ImageProcessor> make_clip_processor(const ImageConfig& config) {
  return std::make_unique<ClipProcessor>(config);
}

}  // namespace oneshot
