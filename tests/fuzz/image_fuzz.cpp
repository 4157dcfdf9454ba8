// Any bytes as an image file: refused with an Error of one line, or an image of the size it says,
// which can be laid on white and resized.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/error.h"
#include "engine/vision/resize.h"

namespace {

constexpr int64_t kMostFuzzedPixels = int64_t{1} << 18;  // a mutation is quick

void check(bool claim) {
  if (!claim) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const oneshot::Image image = oneshot::decode_image(bytes, "fuzz", kMostFuzzedPixels);
    const auto pixels = static_cast<size_t>(image.width * image.height);
    check(pixels > 0 && image.pixels.size() == 3 * pixels);
    check(image.alpha.empty() || image.alpha.size() == pixels);
    const oneshot::Image white = oneshot::over_white(image);
    const oneshot::Image small = oneshot::resized(white, {28, 14}, oneshot::ResizeFilter::Bicubic);
    check(small.pixels.size() == 28U * 14 * 3);
  } catch (const oneshot::Error& error) {
    check(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
