// CogVLM2: one square, whatever the proportions were.
#include <ATen/ATen.h>

#include "engine/vision/image_geometry.h"
#include "engine/vision/image_processors.h"

namespace oneshot {
namespace {

class CogVlm2Processor : public ImageProcessor {
 public:
  explicit CogVlm2Processor(const ImageConfig& config)
      : sizes_(read_cogvlm2_sizes(config)),
        table_(torchvision_table(read_pixel_scale(config.processor_keys()))) {}

  ImageInput process(std::span<const Image> images) const override {
    std::vector<at::Tensor> values;
    for (const Image& image : images) {
      values.push_back(
          to_values(resized(image, {sizes_.edge, sizes_.edge}, ResizeFilter::Bicubic), table_));
    }
    return {{"pixel_values", at::stack(values)}};
  }

 private:
  CogVlm2Sizes sizes_;
  at::Tensor table_;  // [3, 256]
};

}  // namespace

std::unique_ptr<ImageProcessor> make_cogvlm2_processor(const ImageConfig& config) {
  return std::make_unique<CogVlm2Processor>(config);
}

}  // namespace oneshot
