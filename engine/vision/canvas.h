// Cutting, padding and turning images.
#pragma once

#include <array>

#include "engine/vision/image.h"

namespace oneshot {

using Colour = std::array<uint8_t, 3>;  // red, green, blue

/// An image with its corner at (left, top) of a canvas, over a ground of one colour; what lies
/// outside is cut off.
struct Place {
  ImageSize canvas;
  int64_t left = 0;
  int64_t top = 0;
  Colour ground = {0, 0, 0};
};

/// Alpha is left out. throws as check_new_size().
Image placed(const Image& image, const Place& place);

/// The place that centres an image on a canvas, as Transformers does: where an odd number of pixels
/// is left over, one more is on the left and at the top; cut off, one more on the right and below.
Place centred(ImageSize image, ImageSize canvas);

/// Rows become columns. Alpha is left out.
Image transposed(const Image& image);

}  // namespace oneshot
