// How large images become and how many places they take up, against the processors of Transformers.
#include "engine/vision/image_geometry.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/vision/vision_data.h"

namespace oneshot {
namespace {

using nlohmann::json;

TEST(ImageGeometry, ChoosesTheSizesOfTransformers) {
  const json rows = vision_json("sizes.json");
  ASSERT_GT(rows.size(), 300U);
  const Qwen2VlSizes qwen{14, 2, 2, 3136, 12845056};
  const MllamaSizes mllama{560, 4};
  for (const json& row : rows) {
    const ImageSize image{row[0], row[1]};
    EXPECT_EQ(smart_resize(image, qwen), (ImageSize{row[2], row[3]})) << row;
    const MllamaTiling tiling = mllama_tiling(image, mllama);
    EXPECT_EQ(tiling.tiles_high, row[4]) << row;
    EXPECT_EQ(tiling.tiles_wide, row[5]) << row;
    EXPECT_EQ(tiling.aspect_ratio_id, row[6]) << row;
    EXPECT_EQ(tiling.resized, (ImageSize{row[7], row[8]})) << row;
  }
}

std::unique_ptr<ImageGeometry> geometry(const json& config, const json& files) {
  const TemporaryFolder folder;
  write_json_files(folder, files);
  return make_image_geometry(folder.path(), config);
}

TEST(ImageGeometry, CountsThePlacesOfPhi3Vision) {
  const auto of = [](int crops) {
    return geometry({{"model_type", "phi3_v"}},
                    {{"preprocessor_config.json", {{"num_crops", crops}}}});
  };
  const auto four = of(4);
  const auto sixteen = of(16);
  for (const json& row : vision_json("sizes.json")) {
    EXPECT_EQ(four->tokens(row[0], row[1]), row[9]) << row;
    EXPECT_EQ(sixteen->tokens(row[0], row[1]), row[10]) << row;
  }
  // Published counts for an image of 1300 x 876.
  EXPECT_EQ(four->tokens(1300, 876), 757);
  EXPECT_EQ(sixteen->tokens(1300, 876), 1921);
}

TEST(ImageGeometry, CountsThePlacesOfTheOthers) {
  const json cases = vision_json("processed.json");
  for (const json& one : cases) {
    const auto sizes = geometry(one.at("config"), one.at("files"));
    for (size_t i = 0; i < one.at("images").size(); ++i) {
      const Image image = read_image(image_file(one.at("images")[i]));
      EXPECT_EQ(sizes->tokens(image.width, image.height), one.at("tokens")[i])
          << one.at("name") << " " << one.at("images")[i];
    }
  }
}

// The sizes on the hub.
TEST(ImageGeometry, CountsThePlacesOfTheRealModels) {
  const json clip{{"size", 336}, {"crop_size", 336}};
  const json tower{{"vision_config", {{"image_size", 336}, {"patch_size", 14}}}};
  EXPECT_EQ(geometry({{"model_type", "llava"}}, {{"preprocessor_config.json", clip}})->tokens(9, 9),
            576);
  EXPECT_EQ(geometry({{"architectures", {"LlavaLlamaForCausalLM"}}},
                     {{"preprocessor_config.json", clip}, {"config.json", tower}})
                ->tokens(640, 480),
            576);
  const json cogvlm{{"architectures", {"CogVLMForCausalLM"}}, {"vision_config", json::object()}};
  EXPECT_EQ(geometry(cogvlm, json::object())->tokens(640, 480), 2306);
}

TEST(ImageGeometry, RefusesImpossibleProportions) {
  const auto qwen =
      geometry({{"model_type", "qwen2_vl"}}, {{"preprocessor_config.json", json::object()}});
  EXPECT_EQ(qwen->tokens(200, 1), 29);  // by the root of 3136 / 200: 792 x 3.96, 29 cells x 1
  expect_error(ErrorCode::Checkpoint,
               "an image of 201 x 1 pixels: one edge may be 200 times the other at most; leave it "
               "out",
               [&] { qwen->tokens(201, 1); });
  const auto phi =
      geometry({{"model_type", "phi3_v"}}, {{"preprocessor_config.json", json::object()}});
  expect_error(ErrorCode::Checkpoint,
               "an image of 1 x 400 pixels is so thin that nothing of it would be left; leave it "
               "out",
               [&] { phi->tokens(1, 400); });
}

void expect_refused(ErrorCode code,
                    const std::string& message,
                    const std::string& type,
                    const json& keys,
                    const json& vision = json::object()) {
  const TemporaryFolder folder;
  write_json_files(folder, {{"preprocessor_config.json", keys}});
  const json config{{"model_type", type}, {"vision_config", vision}, {"img_processor", vision}};
  const std::string found =
      error_message(code, [&] { make_image_geometry(folder.path(), config); });
  const size_t at = found.rfind(message);
  EXPECT_TRUE(at != std::string::npos && at + message.size() == found.size()) << found;
}

TEST(ImageGeometry, NamesTheKeyThatIsNotSupported) {
  const auto expect = [](const std::string& message, const std::string& type, const json& keys) {
    expect_refused(ErrorCode::Unsupported, "preprocessor_config.json: " + message, type, keys);
  };
  expect("'image_processor_type' is \"SiglipImageProcessor\", supported: CLIPImageProcessor",
         "llava",
         {{"image_processor_type", "SiglipImageProcessor"}});
  expect("size: 'longest_edge' is 9, supported: 'shortest_edge' alone, or 'height' and 'width'",
         "llava",
         {{"size", {{"shortest_edge", 3}, {"longest_edge", 9}}}});
  expect("'do_pad' is true, supported: false", "llava", {{"do_pad", true}});
  expect("'do_center_crop' is false, supported: true, or a 'size' of 'height' and 'width'",
         "llava",
         {{"do_center_crop", false}});
  expect("'do_resize' is false, supported: true", "qwen2_vl", {{"do_resize", false}});
  expect("'do_pad' is false, supported: true", "mllama", {{"do_pad", false}});
}

TEST(ImageGeometry, NamesTheKeyThatIsWrong) {
  const auto expect = [](const std::string& message,
                         const std::string& type,
                         const json& keys,
                         const json& vision = json::object()) {
    expect_refused(ErrorCode::Checkpoint, message, type, keys, vision);
  };
  expect("preprocessor_config.json: 'size' must be a whole number from 1 to 4096, found \"big\"",
         "llava",
         {{"size", "big"}});
  expect(
      "preprocessor_config.json: 'crop_size' must be 28 x 28, as the tower's image_size says, "
      "found 32",
      "llava",
      {{"crop_size", 32}},
      {{"image_size", 28}});
  expect("config.json: vision_config: 'patch_size' must be 14, as the processor says, found 16",
         "qwen2_5_vl",
         json::object(),
         {{"patch_size", 16}});
  expect(
      "preprocessor_config.json: size: 'longest_edge' must be a whole number from 1 to "
      "178956970, found nothing",
      "qwen2_vl",
      {{"size", {{"shortest_edge", 3136}}}});
  expect("preprocessor_config.json: 'num_crops' must be a whole number from 1 to 64, found 0",
         "phi3_v",
         {{"num_crops", 0}});
  expect(
      "preprocessor_config.json: 'size' must be as high as wide, found "
      "{\"height\":2,\"width\":3}",
      "mllama",
      {{"size", {{"height", 2}, {"width", 3}}}});
  expect("config.json: img_processor: 'image_size' must be a multiple of two patches, found 42",
         "phi3_v",
         json::object(),
         {{"image_size", 42}});
}

TEST(ImageGeometry, RefusesModelsWithoutImagesAndMissingFiles) {
  const TemporaryFolder folder;
  expect_error(
      ErrorCode::Unsupported,
      "config.json: not of a family whose images are known here; those of llava, qwen2_vl, "
      "qwen2_5_vl, mllama, phi3_v and cogvlm2 are",
      [&] {
        make_image_geometry(folder.path(), {{"model_type", "llama"}});
      });
  const std::string message = error_message(ErrorCode::Checkpoint, [&] {
    make_image_geometry(folder.path(), {{"model_type", "llava"}});
  });
  EXPECT_NE(message.find("preprocessor_config.json"), std::string::npos) << message;
}

}  // namespace
}  // namespace oneshot
