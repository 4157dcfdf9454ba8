// The images of a text, as a model reads them.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace oneshot {

/// What a family's processor makes of the images of one text, in their order: float32 and int64
/// tensors under the names that they have in Transformers ("pixel_values", "image_grid_thw", …).
using ImageInput = std::map<std::string, at::Tensor>;

}  // namespace oneshot
