#include "engine/vision/canvas.h"

#include <algorithm>

namespace oneshot {
namespace {

/// Half of a difference, rounded up: -(x // 2) of Python where x is negative.
int64_t half_up(int64_t difference) {
  return difference >= 0 ? (difference + 1) / 2 : difference / 2;
}

}  // namespace

Image placed(const Image& image, const Place& place) {
  check_new_size(image.size(), place.canvas);
  const auto [width, height] = place.canvas;
  Image out{width, height, std::vector<uint8_t>(width * height * 3), {}};
  for (size_t i = 0; i < out.pixels.size(); ++i) {
    out.pixels[i] = place.ground[i % 3];
  }
  const int64_t left = std::max<int64_t>(0, place.left);
  const int64_t right = std::min(width, place.left + image.width);
  const int64_t bottom = std::min(height, place.top + image.height);
  for (int64_t y = std::max<int64_t>(0, place.top); y < bottom && left < right; ++y) {
    const uint8_t* source =
        image.pixels.data() + ((y - place.top) * image.width + left - place.left) * 3;
    std::copy_n(source, (right - left) * 3, out.pixels.data() + (y * width + left) * 3);
  }
  return out;
}

Place centred(ImageSize image, ImageSize canvas) {
  return {canvas, half_up(canvas.width - image.width), half_up(canvas.height - image.height)};
}

Image transposed(const Image& image) {
  Image out{image.height, image.width, std::vector<uint8_t>(image.pixels.size()), {}};
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      std::copy_n(image.pixels.data() + (y * image.width + x) * 3,
                  3,
                  out.pixels.data() + (x * image.height + y) * 3);
    }
  }
  return out;
}

}  // namespace oneshot
