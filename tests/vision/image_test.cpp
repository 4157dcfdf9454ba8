// JPEG, PNG and WebP against what Pillow decodes, and what is refused.
#include "engine/vision/image.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/vision/vision_data.h"

namespace oneshot {
namespace {

TEST(Image, DecodesAsPillow) {
  const nlohmann::json files = vision_json("decoded.json");
  ASSERT_EQ(files.size(), 32U);
  for (const auto& [name, expected] : files.items()) {
    const Image image = read_image(image_file(name));
    EXPECT_EQ(image.width, expected.at("width")) << name;
    EXPECT_EQ(image.height, expected.at("height")) << name;
    EXPECT_EQ(sha256_of(image.pixels), expected.at("rgb")) << name;
    if (expected.contains("alpha")) {
      EXPECT_EQ(sha256_of(image.alpha), expected.at("alpha")) << name;
    } else {
      const std::vector<uint8_t> opaque(image.alpha.size(), 255);
      EXPECT_EQ(image.alpha, opaque) << name;
    }
  }
}

TEST(Image, LaysTransparentOnesOnWhiteAsPillow) {
  const nlohmann::json files = vision_json("decoded.json");
  for (const auto& [name, expected] : files.items()) {
    const Image image = over_white(read_image(image_file(name)));
    EXPECT_EQ(sha256_of(image.pixels), expected.at("over_white")) << name;
    EXPECT_TRUE(image.alpha.empty()) << name;
  }
}

TEST(Image, MixesEveryValueWithWhiteAsTheFormulaSays) {
  Image image{256, 256, {}, {}};
  for (int value = 0; value < 256; ++value) {
    for (int alpha = 0; alpha < 256; ++alpha) {
      image.pixels.insert(image.pixels.end(), 3, static_cast<uint8_t>(value));
      image.alpha.push_back(static_cast<uint8_t>(alpha));
    }
  }
  const Image mixed = over_white(image);
  for (int i = 0; i < 256 * 256; ++i) {
    const double exact = 255 - (255 - image.pixels[3 * i]) * image.alpha[i] / 255.0;
    EXPECT_NEAR(mixed.pixels[3 * i], exact, 0.51) << i;
  }
}

TEST(Image, RefusesFilesThatAreCutShort) {
  for (const char* name : {"photo.jpg",
                           "progressive.jpg",
                           "grey.jpg",
                           "rgba.png",
                           "interlaced.png",
                           "lossy.webp",
                           "lossless.webp",
                           "alpha.webp"}) {
    const std::string whole = file_bytes(image_file(name));
    for (size_t size = 16; size < whole.size(); size += 1 + whole.size() / 50) {
      const std::string message =
          error_message(ErrorCode::Checkpoint, [&] { decode_image(whole.substr(0, size), "cut"); });
      EXPECT_EQ(message.rfind("cut: damaged ", 0), 0U) << name << " of " << size << ": " << message;
    }
  }
}

TEST(Image, SaysWhatIsWrong) {
  const auto expect = [](ErrorCode code, const std::string& message, const std::string& bytes) {
    expect_error(code, "a.bin: " + message, [&] { decode_image(bytes, "a.bin"); });
  };
  const auto file = [](const char* name) { return file_bytes(image_file(name)); };
  expect(ErrorCode::Checkpoint, "no image: its bytes begin neither a JPEG, a PNG nor a WebP", "");
  expect(ErrorCode::Checkpoint,
         "no image: its bytes begin neither a JPEG, a PNG nor a WebP",
         "GIF89a and more");
  expect(ErrorCode::Checkpoint,
         "an image of 20000 x 20000 pixels, expected 1 to 178956970 pixels in all",
         file("bomb.png"));
  expect(ErrorCode::Checkpoint,
         "damaged PNG: a pixel has colour 3 of a palette of 3",
         file("outside_palette.png"));
  expect(ErrorCode::Unsupported,
         "an animated WebP is not supported, store one frame of it",
         file("animated.webp"));
  const std::string png = file("rgba.png");
  expect(ErrorCode::Checkpoint, "damaged PNG: the file ends early", png.substr(0, 200));
  std::string wrong = png;
  wrong[png.size() - 14] ^= 1;  // the checksum of the pixels, before the 12 bytes of the end
  expect(ErrorCode::Checkpoint, "damaged PNG: IDAT: CRC error", wrong);
}

TEST(Image, RefusesTransparencyWithAWrongChecksum) {
  std::string bytes = file_bytes(image_file("grey_8_key.png"));
  const size_t chunk = bytes.find("tRNS");
  ASSERT_NE(chunk, std::string::npos);
  bytes[chunk + 5] ^= 1;
  EXPECT_EQ(error_message(ErrorCode::Checkpoint, [&] { decode_image(bytes, "a.png"); }),
            "a.png: damaged PNG: tRNS: CRC error");
}

TEST(Image, RefusesJpegWithLostPixels) {
  std::string bytes = file_bytes(image_file("photo.jpg"));
  const size_t middle = bytes.size() / 2;
  bytes.replace(middle, 2, "\xFF\xD9");  // the end marker, too early
  const std::string message =
      error_message(ErrorCode::Checkpoint, [&] { decode_image(bytes, "a.jpg"); });
  EXPECT_EQ(message, "a.jpg: damaged JPEG: Corrupt JPEG data: premature end of data segment");
}

TEST(Image, AsksForThePixelsBeforeItDecodes) {
  const std::string bytes = file_bytes(image_file("photo.jpg")).substr(0, 640);  // headers alone
  EXPECT_EQ(error_message(ErrorCode::Checkpoint, [&] { decode_image(bytes, "a.jpg", 61 * 42); }),
            "a.jpg: an image of 61 x 43 pixels, expected 1 to 2562 pixels in all");
}

TEST(Image, NamesFilesThatAreNotThereOrEmpty) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a.png", "");
  expect_error(
      ErrorCode::Checkpoint,
      folder.string() + "/a.png: no image: its bytes begin neither a JPEG, a PNG nor a WebP",
      [&] { read_image(folder.path() / "a.png"); });
  const std::string message =
      error_message(ErrorCode::Checkpoint, [] { read_image("/nowhere/at all.png"); });
  EXPECT_NE(message.find("/nowhere/at all.png"), std::string::npos) << message;
}

}  // namespace
}  // namespace oneshot
