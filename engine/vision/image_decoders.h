// The decoders behind decode_image(), one a file format.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/error.h"
#include "engine/vision/image.h"

namespace oneshot {

/// The bytes of a file, and what the decoders need around them.
struct ImageBytes {
  std::string_view bytes;
  const std::string& name;  // for messages
  int64_t most_pixels = kMostPixels;
};

Image decode_jpeg(const ImageBytes& file);
Image decode_png(const ImageBytes& file);
Image decode_webp(const ImageBytes& file);

/// throws Checkpoint when the size is empty or has too many pixels.
void check_size(const ImageBytes& file, int64_t width, int64_t height);

/// throws NAME: WHAT
[[noreturn]] void refuse(const ImageBytes& file, ErrorCode code, const std::string& what);

/// throws Checkpoint: NAME: damaged FORMAT: WHAT
[[noreturn]] void throw_damaged(const ImageBytes& file, const char* format, std::string_view what);

}  // namespace oneshot
