// The processors behind make_image_processor(), one a file, and what they share.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "engine/vision/image_config.h"
#include "engine/vision/image_processor.h"

namespace oneshot {

std::unique_ptr<ImageProcessor> make_clip_processor(const ImageConfig& config);
std::unique_ptr<ImageProcessor> make_mllama_processor(const ImageConfig& config);
std::unique_ptr<ImageProcessor> make_qwen2_vl_processor(const ImageConfig& config);
std::unique_ptr<ImageProcessor> make_phi3_v_processor(const ImageConfig& config);
std::unique_ptr<ImageProcessor> make_cogvlm2_processor(const ImageConfig& config);

/// What each byte becomes: [3, 256] float32.
at::Tensor value_table(const PixelScale& scale);

/// The values of PyTorch's ToTensor and Normalize, which divide in float32.
at::Tensor torchvision_table(const PixelScale& scale);

/// table: [3, 256]. returns [3, height, width] float32
at::Tensor to_values(const Image& image, const at::Tensor& table);

}  // namespace oneshot
