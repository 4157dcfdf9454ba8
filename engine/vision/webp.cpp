// WebP by libwebp.
#include <webp/decode.h>

#include "engine/error.h"
#include "engine/vision/image_decoders.h"

namespace oneshot {
namespace {

void check_status(const ImageBytes& file, VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OK:
      return;
    case VP8_STATUS_OUT_OF_MEMORY:
      refuse(file, ErrorCode::Resource, "not enough memory to decode the WebP");
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      throw_damaged(file, "WebP", "the file ends early");
    default:
      throw_damaged(file, "WebP", "its data cannot be decoded");
  }
}

/// Decodes into rows of `channels` bytes a pixel.
std::vector<uint8_t> decode(const ImageBytes& file, const WebPBitstreamFeatures& features) {
  const int64_t channels = features.has_alpha != 0 ? 4 : 3;
  std::vector<uint8_t> rows(channels * features.width * features.height);
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) {
    throw Error(ErrorCode::Failed, "libwebp is another version than the one compiled against");
  }
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = rows.data();
  config.output.u.RGBA.stride = static_cast<int>(channels * features.width);
  config.output.u.RGBA.size = rows.size();
  check_status(
      file,
      WebPDecode(reinterpret_cast<const uint8_t*>(file.bytes.data()), file.bytes.size(), &config));
  return rows;
}

}  // namespace

Image decode_webp(const ImageBytes& file) {
  WebPBitstreamFeatures features;
  check_status(
      file,
      WebPGetFeatures(
          reinterpret_cast<const uint8_t*>(file.bytes.data()), file.bytes.size(), &features));
  check_size(file, features.width, features.height);
  if (features.has_animation != 0) {
    refuse(
        file, ErrorCode::Unsupported, "an animated WebP is not supported, store one frame of it");
  }
  Image image{features.width, features.height, {}, {}};
  std::vector<uint8_t> rows = decode(file, features);
  if (features.has_alpha == 0) {
    image.pixels = std::move(rows);
    return image;
  }
  const size_t pixels = image.width * image.height;
  image.pixels.resize(3 * pixels);
  image.alpha.resize(pixels);
  for (size_t i = 0; i < pixels; ++i) {
    for (size_t channel = 0; channel < 3; ++channel) {
      image.pixels[3 * i + channel] = rows[4 * i + channel];
    }
    image.alpha[i] = rows[4 * i + 3];
  }
  return image;
}

}  // namespace oneshot
