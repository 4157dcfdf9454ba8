#include "engine/vision/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace oneshot {
namespace {

constexpr int kFractionBits = 22;  // of a weight
constexpr double kHalfPixel = 0.5;
constexpr int32_t kHalf = 1 << (kFractionBits - 1);

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

/// Keys' cubic convolution with a = -0.5.
double cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1) {
    return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  }
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * kA : 0;
}

double sinc(double x) {
  x *= std::numbers::pi;
  return x == 0 ? 1 : std::sin(x) / x;
}

double lanczos(double x) {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

struct FilterShape {
  double (*value)(double);
  double reach;  // zero beyond
};

FilterShape shape_of(ResizeFilter filter) {
  switch (filter) {
    case ResizeFilter::Lanczos:
      return {lanczos, 3};
    case ResizeFilter::Bilinear:
      return {triangle, 1};
    default:
      return {cubic, 2};
  }
}

/// What one output place is made of: inputs from `first` on, with these weights.
struct Window {
  int64_t first = 0;
  std::vector<int32_t> weights;
};

/// Where the window of output place `index` lies, and its weights in fixed point.
Window window_at(int64_t index, int64_t in, int64_t out, FilterShape shape) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  const double reach = shape.reach * stretch;
  const double per_input = 1.0 / stretch;
  const double centre = (static_cast<double>(index) + kHalfPixel) * scale;
  Window window;
  // Cut off, not rounded down: below zero both come to the first input.
  const double begin = centre - reach + kHalfPixel;
  const double beyond = centre + reach + kHalfPixel;
  window.first = std::max<int64_t>(0, static_cast<int64_t>(begin));
  const int64_t end = std::min(in, static_cast<int64_t>(beyond));
  std::vector<double> weights;
  double sum = 0;
  for (int64_t i = window.first; i < end; ++i) {
    weights.push_back(shape.value((static_cast<double>(i) - centre + kHalfPixel) * per_input));
    sum += weights.back();
  }
  for (const double weight : weights) {
    const double fixed = weight / sum * (1 << kFractionBits);
    window.weights.push_back(static_cast<int32_t>(fixed + (fixed < 0 ? -0.5 : 0.5)));
  }
  return window;
}

std::vector<Window> windows(int64_t in, int64_t out, ResizeFilter filter) {
  std::vector<Window> all;
  all.reserve(out);
  for (int64_t i = 0; i < out; ++i) {
    all.push_back(window_at(i, in, out, shape_of(filter)));
  }
  return all;
}

uint8_t to_byte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

Image resized_across(const Image& image, int64_t width, ResizeFilter filter) {
  const std::vector<Window> columns = windows(image.width, width, filter);
  Image out{width, image.height, std::vector<uint8_t>(width * image.height * 3), {}};
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* row = image.pixels.data() + y * image.width * 3;
    uint8_t* target = out.pixels.data() + y * width * 3;
    for (int64_t x = 0; x < width; ++x) {
      const Window& window = columns[x];
      const uint8_t* source = row + window.first * 3;
      int32_t sums[3] = {kHalf, kHalf, kHalf};
      for (const int32_t weight : window.weights) {
        for (int channel = 0; channel < 3; ++channel) {
          sums[channel] += weight * *source++;
        }
      }
      for (int channel = 0; channel < 3; ++channel) {
        target[x * 3 + channel] = to_byte(sums[channel]);
      }
    }
  }
  return out;
}

Image resized_down(const Image& image, int64_t height, ResizeFilter filter) {
  const std::vector<Window> rows = windows(image.height, height, filter);
  const int64_t row_bytes = image.width * 3;
  Image out{image.width, height, std::vector<uint8_t>(row_bytes * height), {}};
  std::vector<int32_t> sums(row_bytes);
  for (int64_t y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const uint8_t* source = image.pixels.data() + rows[y].first * row_bytes;
    for (const int32_t weight : rows[y].weights) {
      for (int64_t i = 0; i < row_bytes; ++i) {
        sums[i] += weight * source[i];
      }
      source += row_bytes;
    }
    std::transform(sums.begin(), sums.end(), out.pixels.begin() + y * row_bytes, to_byte);
  }
  return out;
}

}  // namespace

Image resized(const Image& image, ImageSize size, ResizeFilter filter) {
  check_new_size(image.size(), size);
  check_new_size(image.size(), {size.width, image.height});  // in between
  const Image* source = &image;
  Image across;
  if (size.width != image.width) {
    across = resized_across(image, size.width, filter);
    source = &across;
  }
  if (size.height != image.height) {
    return resized_down(*source, size.height, filter);
  }
  return {size.width, size.height, source->pixels, {}};
}

}  // namespace oneshot
