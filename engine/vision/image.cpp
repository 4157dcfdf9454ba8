#include "engine/vision/image.h"

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/vision/image_decoders.h"

namespace oneshot {
namespace {

/// value / 255, rounded; exact for value below 65536 · 255.
constexpr int64_t divided_by_255(int64_t value) {
  return (value + (value >> 8)) >> 8;
}

/// One channel over white in Pillow's fixed point: seven bits below the point.
uint8_t channel_over_white(uint8_t value, uint8_t alpha) {
  constexpr int kBits = 7;
  const int64_t front = int64_t{alpha} << kBits;
  const int64_t back = (int64_t{255} << kBits) - front;
  const int64_t half = int64_t{128} << kBits;
  return static_cast<uint8_t>(divided_by_255(value * front + 255 * back + half) >> kBits);
}

}  // namespace

void refuse(const ImageBytes& file, ErrorCode code, const std::string& what) {
  throw Error(code, one_line(file.name) + ": " + what);
}

void throw_damaged(const ImageBytes& file, const char* format, std::string_view what) {
  refuse(file, ErrorCode::Checkpoint, std::string("damaged ") + format + ": " + shortened(what));
}

void check_size(const ImageBytes& file, int64_t width, int64_t height) {
  if (width <= 0 || height <= 0 || width > file.most_pixels / height) {
    refuse(file,
           ErrorCode::Checkpoint,
           "an image of " + std::to_string(width) + " x " + std::to_string(height) +
               " pixels, expected 1 to " + std::to_string(file.most_pixels) + " pixels in all");
  }
}

Image decode_image(std::string_view bytes, const std::string& name, int64_t most_pixels) {
  const ImageBytes file{bytes, name, most_pixels};
  if (bytes.starts_with("\xFF\xD8\xFF")) {
    return decode_jpeg(file);
  }
  if (bytes.starts_with("\x89PNG\r\n\x1A\n")) {
    return decode_png(file);
  }
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) {
    return decode_webp(file);
  }
  refuse(file, ErrorCode::Checkpoint, "no image: its bytes begin neither a JPEG, a PNG nor a WebP");
}

Image read_image(const std::filesystem::path& file) {
  const InputFile input(file);
  std::vector<std::byte> scratch;
  const std::byte* bytes = input.fetch(0, input.size(), scratch);
  return decode_image({reinterpret_cast<const char*>(bytes), input.size()}, file.string());
}

void check_new_size(ImageSize from, ImageSize to) {
  if (to.width <= 0 || to.height <= 0 || to.width > kMostPixels / to.height) {
    throw Error(ErrorCode::Checkpoint,
                "an image of " + std::to_string(from.width) + " x " + std::to_string(from.height) +
                    " pixels would become " + std::to_string(to.width) + " x " +
                    std::to_string(to.height) + ", expected 1 to " + std::to_string(kMostPixels) +
                    " pixels; leave it out");
  }
}

Image over_white(Image image) {
  for (size_t i = 0; i < image.alpha.size(); ++i) {
    for (size_t channel = 3 * i; channel < 3 * i + 3; ++channel) {
      image.pixels[channel] = channel_over_white(image.pixels[channel], image.alpha[i]);
    }
  }
  image.alpha.clear();
  return image;
}

}  // namespace oneshot
