// Resizing against Pillow, to the bit.
#include "engine/vision/resize.h"

#include <gtest/gtest.h>

#include "engine/vision/canvas.h"
#include "tests/support/expect_error.h"
#include "tests/vision/vision_data.h"

namespace oneshot {
namespace {

TEST(Resize, EqualsPillow) {
  const nlohmann::json cases = vision_json("resized.json");
  ASSERT_EQ(cases.size(), 96U);
  for (const nlohmann::json& one : cases) {
    const Image image = read_image(image_file(one.at("image")));
    const ImageSize size{one.at("width"), one.at("height")};
    const Image small =
        resized(image, size, static_cast<ResizeFilter>(one.at("filter").get<int>()));
    EXPECT_EQ(small.size(), size);
    EXPECT_EQ(sha256_of(small.pixels), one.at("rgb")) << one;
  }
}

TEST(Resize, RefusesSizesThatNobodyHasMemoryFor) {
  const Image thin{1, 60000, std::vector<uint8_t>(180000), {}};
  expect_error(ErrorCode::Checkpoint,
               "an image of 1 x 60000 pixels would become 336 x 20160000, expected 1 to 178956970 "
               "pixels; leave it out",
               [&] {
                 resized(thin, {336, 20160000}, ResizeFilter::Bicubic);
               });
  EXPECT_THROW(resized(thin, {0, 5}, ResizeFilter::Bicubic), Error);
  EXPECT_THROW(resized(thin, {4000, 1}, ResizeFilter::Bicubic), Error);  // 4000 x 60000 in between
}

Image numbered(int64_t width, int64_t height) {
  Image image{width, height, {}, {}};
  for (int64_t i = 0; i < width * height; ++i) {
    image.pixels.insert(image.pixels.end(), 3, static_cast<uint8_t>(i + 1));
  }
  return image;
}

std::vector<int> reds(const Image& image) {
  std::vector<int> reds;
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    reds.push_back(image.pixels[i]);
  }
  return reds;
}

// Counted by hand: floor for what is cut off, the larger half of padding first.
TEST(Canvas, CentresAsTransformers) {
  const Image image = numbered(3, 2);  // 1 2 3 / 4 5 6
  EXPECT_EQ(reds(placed(image, centred(image.size(), {2, 1}))), (std::vector<int>{1, 2}));
  EXPECT_EQ(reds(placed(image, centred(image.size(), {1, 2}))), (std::vector<int>{2, 5}));
  EXPECT_EQ(reds(placed(image, centred(image.size(), {4, 2}))),
            (std::vector<int>{0, 1, 2, 3, 0, 4, 5, 6}));
  EXPECT_EQ(reds(placed(image, centred(image.size(), {1, 3}))), (std::vector<int>{0, 2, 5}));
}

TEST(Canvas, TransposesRowsToColumns) {
  const Image turned = transposed(numbered(3, 2));
  EXPECT_EQ(turned.size(), (ImageSize{2, 3}));
  EXPECT_EQ(reds(turned), (std::vector<int>{1, 4, 2, 5, 3, 6}));
}

}  // namespace
}  // namespace oneshot
