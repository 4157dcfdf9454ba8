// What calibration data must know about an image file before its pixels are needed.
#pragma once

#include <cstdint>
#include <filesystem>

#include "engine/vision/image.h"

namespace oneshot {

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
