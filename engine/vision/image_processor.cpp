#include "engine/vision/image_processor.h"

#include <ATen/ATen.h>

#include <functional>

#include "engine/vision/image_processors.h"

namespace oneshot {
namespace {

constexpr int64_t kBytes = 256;

/// to_unit: a byte's value before the mean is taken off.
at::Tensor make_table(const PixelScale& scale, const std::function<float(int64_t)>& to_unit) {
  at::Tensor table = at::empty({3, kBytes});
  float* values = table.data_ptr<float>();
  for (size_t channel = 0; channel < 3; ++channel) {
    for (int64_t byte = 0; byte < kBytes; ++byte) {
      *values++ = (to_unit(byte) - scale.mean[channel]) / scale.std[channel];
    }
  }
  return table;
}

}  // namespace

at::Tensor value_table(const PixelScale& scale) {
  return make_table(scale, [&](int64_t byte) {
    return static_cast<float>(static_cast<double>(byte) * scale.factor);
  });
}

at::Tensor torchvision_table(const PixelScale& scale) {
  return make_table(scale, [](int64_t byte) { return static_cast<float>(byte) / 255.0F; });
}

at::Tensor to_values(const Image& image, const at::Tensor& table) {
  at::Tensor values = at::empty({3, image.height, image.width});
  float* out = values.data_ptr<float>();
  for (int64_t channel = 0; channel < 3; ++channel) {
    const float* of_byte = table.data_ptr<float>() + channel * kBytes;
    for (size_t i = channel; i < image.pixels.size(); i += 3) {
      *out++ = of_byte[image.pixels[i]];
    }
  }
  return values;
}

std::unique_ptr<ImageProcessor> make_image_processor(const std::filesystem::path& folder,
                                                     const nlohmann::json& config) {
  const ImageConfig read = read_image_config(folder, config);
  switch (read.family) {
    case ImageFamily::Mllama:
      return make_mllama_processor(read);
    case ImageFamily::Qwen2Vl:
      return make_qwen2_vl_processor(read);
    case ImageFamily::Phi3V:
      return make_phi3_v_processor(read);
    case ImageFamily::CogVlm2:
      return make_cogvlm2_processor(read);
    default:
      return make_clip_processor(read);
  }
}

}  // namespace oneshot
