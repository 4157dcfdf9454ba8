// Image files as pixels: JPEG, PNG and WebP, decoded to the bytes that Pillow gives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace oneshot {

/// In pixels.
struct ImageSize {
  int64_t width = 0;
  int64_t height = 0;
  bool operator==(const ImageSize&) const = default;
};

struct Image {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> pixels;  // rows from the top, three bytes a pixel: red, green, blue
  std::vector<uint8_t> alpha;   // rows, one byte a pixel, 255 is opaque; empty: all is opaque

  ImageSize size() const { return {width, height}; }
};

/// Pillow refuses images above twice its warning level, which is a gigabyte of pixels over twelve.
constexpr int64_t kMostPixels = 178956970;

/// The image in the bytes of a file. `pixels` is what Pillow's convert("RGB") gives, alpha dropped;
/// `alpha` that of convert("RGBA") where Pillow's mode is not RGB. An EXIF orientation is not
/// applied, as no processor applies it. name: of the file, for messages.
/// throws Checkpoint for bytes that are no such image, cut short, damaged, or announce more pixels
/// than `most_pixels` (asked before memory is taken); Unsupported for animations in WebP.
Image decode_image(std::string_view bytes,
                   const std::string& name,
                   int64_t most_pixels = kMostPixels);

/// The image in a file. throws as decode_image, and Checkpoint when it cannot be read.
Image read_image(const std::filesystem::path& file);

/// throws Checkpoint when an image would become one without pixels or with more than kMostPixels.
void check_new_size(ImageSize from, ImageSize to);

/// The image on a white ground, without alpha: Pillow's alpha_composite().
Image over_white(Image image);

}  // namespace oneshot
