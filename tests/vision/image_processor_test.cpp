// Pixel values against the processors of Transformers on Pillow, and the steps of those that have
// none: see tests/data/vision/make.py.
#include "engine/vision/image_processor.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/expect_error.h"
#include "tests/vision/vision_data.h"

namespace oneshot {
namespace {

using nlohmann::json;

ImageInput process(const json& one) {
  const TemporaryFolder folder;
  write_json_files(folder, one.at("files"));
  std::vector<Image> images;
  for (const json& name : one.at("images")) {
    images.push_back(read_image(image_file(name)));
  }
  return make_image_processor(folder.path(), one.at("config"))->process(images);
}

void expect_tensor(const at::Tensor& tensor, const json& expected, const std::string& what) {
  const at::Tensor whole = tensor.contiguous();
  EXPECT_EQ(whole.sizes().vec(), expected.at("shape").get<std::vector<int64_t>>()) << what;
  const std::string_view bytes(static_cast<const char*>(whole.data_ptr()), whole.nbytes());
  EXPECT_EQ(sha256_hex(bytes), expected.at("sha256")) << what;
}

bool is_phi3(const json& one) {
  return one.at("config").value("model_type", "") == "phi3_v";
}

TEST(ImageProcessor, EqualsTransformers) {
  int cases = 0;
  for (const json& one : vision_json("processed.json")) {
    if (is_phi3(one)) {
      continue;
    }
    ++cases;
    const ImageInput input = process(one);
    EXPECT_EQ(input.size(), one.at("tensors").size()) << one.at("name");
    for (const auto& [name, expected] : one.at("tensors").items()) {
      ASSERT_TRUE(input.contains(name)) << one.at("name") << " " << name;
      expect_tensor(input.at(name), expected, one.at("name").get<std::string>() + " " + name);
    }
  }
  EXPECT_EQ(cases, 21);
}

/// The whole views of all cases, in their order.
at::Tensor expected_views(const std::string& bytes, size_t& offset, const at::Tensor& like) {
  at::Tensor views = at::empty_like(like, at::MemoryFormat::Contiguous);
  std::memcpy(views.data_ptr(), bytes.data() + offset, views.nbytes());
  offset += views.nbytes();
  return views;
}

TEST(ImageProcessor, EqualsTheStepsOfPhi3Vision) {
  const std::string views = file_bytes(kVisionData + "phi3_v.f32");
  size_t offset = 0;
  for (const json& one : vision_json("processed.json")) {
    if (!is_phi3(one)) {
      continue;
    }
    const ImageInput input = process(one);
    const std::string name = one.at("name");
    const at::Tensor pixels = input.at("pixel_values");
    expect_tensor(pixels.narrow(1, 1, pixels.size(1) - 1), one["tensors"]["crops"], name);
    expect_tensor(input.at("image_sizes"), one["tensors"]["image_sizes"], name);
    const at::Tensor whole = pixels.select(1, 0);
    const at::Tensor expected = expected_views(views, offset, whole);
    EXPECT_LE((whole - expected).abs().max().item<float>(), 2e-6F) << name;
  }
  EXPECT_EQ(offset, views.size());
}

TEST(ImageProcessor, NamesTheKeyThatIsWrong) {
  const auto refused = [](ErrorCode code, const json& keys) {
    const TemporaryFolder folder;
    write_json_files(folder, {{"preprocessor_config.json", keys}});
    const std::string message = error_message(code, [&] {
      make_image_processor(folder.path(), {{"model_type", "qwen2_vl"}});
    });
    return message.substr(message.find("preprocessor_config.json"));
  };
  EXPECT_EQ(refused(ErrorCode::Checkpoint, {{"image_mean", {0.5, 0.5}}}),
            "preprocessor_config.json: 'image_mean' must be three numbers, found [0.5,0.5]");
  EXPECT_EQ(refused(ErrorCode::Checkpoint, {{"image_std", {0.5, 0, 0.5}}}),
            "preprocessor_config.json: 'image_std' must be three numbers above 0, found "
            "[0.5,0,0.5]");
  EXPECT_EQ(refused(ErrorCode::Unsupported, {{"resample", 0}}),
            "preprocessor_config.json: 'resample' is 0, supported: 1 (lanczos), 2 (bilinear), 3 "
            "(bicubic)");
}

}  // namespace
}  // namespace oneshot
