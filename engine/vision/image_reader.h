// What calibration data must know about an image file before its pixels are needed.
#pragma once

#include <cstdint>
#include <filesystem>

namespace oneshot {

/// In pixels, both above 0.
struct ImageSize {
  int64_t width = 0;
  int64_t height = 0;
};

/// The images of one family of models. All functions may be called from many threads at once.
class ImageReader {
 public:
  virtual ~ImageReader() = default;

  /// throws Checkpoint, naming the file, for what is missing, no image or damaged.
  virtual ImageSize size(const std::filesystem::path& file) const = 0;

  /// How many tokens an image of that size takes up in the text; at least 1.
  /// throws Checkpoint for a shape that the family does not read.
  virtual int64_t tokens(ImageSize size) const = 0;
};

}  // namespace oneshot
