// Resizing of 8-bit images, to the bit as Pillow 3.3 to 12. From 13 on it sometimes resizes down
// first and across second, with other last bits: that is not done here.
#pragma once

#include "engine/vision/image.h"

namespace oneshot {

/// The numbers are those of `resample` in preprocessor_config.json.
enum class ResizeFilter { Lanczos = 1, Bilinear = 2, Bicubic = 3 };

/// The pixels in another size; alpha is left out. Each axis is resampled on its own, across first,
/// and rounded to bytes in between; an axis that keeps its length is left alone; shrinking
/// averages over all pixels.
/// throws Checkpoint when the new size is empty or has more than kMostPixels pixels.
Image resized(const Image& image, ImageSize size, ResizeFilter filter);

}  // namespace oneshot
