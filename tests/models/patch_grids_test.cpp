// Grids of images, and what Qwen2-VL refuses; by hand.
#include "engine/models/patch_grids.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/models/registry.h"
#include "tests/support/expect_error.h"

namespace oneshot {
namespace {

using nlohmann::json;

constexpr GridTokens kTokens{300, 301};

std::vector<int64_t> numbers(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return {flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel()};
}

at::Tensor row(std::vector<int64_t> numbers) {
  return at::tensor(numbers, at::kLong);
}

TEST(PatchGrids, VideosFollowImagesAndTheirFramesAreWholeSecondsApart) {
  const ImageInput images{
      {"video_grid_thw", at::tensor({3, 2, 4, 2, 2, 2}, at::kLong).view({2, 3})},
      {"image_grid_thw", at::tensor({1, 4, 6}, at::kLong).view({1, 3})},
      {"second_per_grid_ts", at::tensor({2.5, 0.5})}};
  const std::vector<PatchGrid> grids = read_grids(images, {2, 4});
  ASSERT_EQ(grids.size(), 3U);
  EXPECT_EQ(grids[0].cells(), 2 * 3);
  EXPECT_FALSE(grids[0].is_video);
  EXPECT_TRUE(grids[1].is_video);
  EXPECT_EQ(grids[1].frame_step, 2 * 4);
  EXPECT_EQ(grids[2].frame_step, 0);
  EXPECT_EQ(read_grids(images, {2, 0})[1].frame_step, 1);
  EXPECT_EQ(cells_of(grids), 6 + 3 * 2 + 2);
}

TEST(PatchGrids, PatchesGoCellByCell) {
  const at::Tensor places = patch_places({{2, 1, 2}}, 2);
  EXPECT_EQ(numbers(places[0]),
            (std::vector<int64_t>{0,
                                  0,
                                  1,
                                  1,
                                  0,
                                  0,
                                  1,
                                  1,  //
                                  0,
                                  0,
                                  1,
                                  1,
                                  0,
                                  0,
                                  1,
                                  1}));
  EXPECT_EQ(numbers(places[1]),
            (std::vector<int64_t>{0,
                                  1,
                                  0,
                                  1,
                                  2,
                                  3,
                                  2,
                                  3,  //
                                  0,
                                  1,
                                  0,
                                  1,
                                  2,
                                  3,
                                  2,
                                  3}));
}

TEST(PatchGrids, WindowsAtTheEdgesAreSmaller) {
  // 3 x 3 cells in windows of 2 x 2, then one cell of another image.
  const CellWindows windows = cell_windows({{1, 3, 3}, {1, 1, 1}}, 2);
  EXPECT_EQ(windows.cells, (std::vector<int64_t>{4, 2, 2, 1, 1}));
  EXPECT_EQ(numbers(windows.order), (std::vector<int64_t>{0, 1, 3, 4, 2, 5, 6, 7, 8, 9}));
}

TEST(PatchGrids, TheTextGoesOnPastTheHighestPosition) {
  const std::vector<PatchGrid> grids{{1, 1, 3}, {2, 1, 1, 5, true}};
  const at::Tensor positions =
      grid_positions(row({7, 300, 300, 300, 8, 301, 301, 9, 300}), grids, kTokens);
  EXPECT_EQ(numbers(positions[0]), (std::vector<int64_t>{0, 1, 1, 1, 4, 5, 10, 11, 12}));
  EXPECT_EQ(numbers(positions[1]), (std::vector<int64_t>{0, 1, 1, 1, 4, 5, 5, 11, 12}));
  EXPECT_EQ(numbers(positions[2]), (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 5, 11, 12}));
}

TEST(PatchGrids, PlacesOfAnotherImageAreRefused) {
  expect_error(ErrorCode::Checkpoint,
               "an image gives 6 rows, the text has 2 places for it; do the images belong to the "
               "text?",
               [] {
                 grid_positions(row({300, 300, 7}), {{1, 2, 3}}, kTokens);
               });
  expect_error(ErrorCode::Checkpoint,
               "a video gives 4 rows, the text has 0 places for it; do the images belong to the "
               "text?",
               [] {
                 grid_positions(row({300, 7}), {{1, 1, 1}, {1, 2, 2, 1, true}}, kTokens);
               });
}

TEST(PatchGrids, PartsOfCellsAreRefused) {
  const ImageInput images{{"image_grid_thw", at::tensor({1, 4, 5}, at::kLong).view({1, 3})}};
  expect_error(ErrorCode::Checkpoint,
               "image_grid_thw: a grid of 1 x 4 x 5 patches is not made of cells of 2 x 2; do "
               "preprocessor_config.json and config.json belong together?",
               [&] {
                 read_grids(images, {2, 0});
               });
}

json qwen(const char* type) {
  json config{{"model_type", type},
              {"hidden_size", 64},
              {"intermediate_size", 128},
              {"num_hidden_layers", 2},
              {"num_attention_heads", 4},
              {"num_key_value_heads", 2},
              {"vocab_size", 320},
              {"rope_scaling", {{"type", "mrope"}, {"mrope_section", {2, 3, 3}}}}};
  config["vision_config"] = {{"depth", 2}, {"num_heads", 2}, {"hidden_size", 64}};
  if (type == std::string("qwen2_vl")) {
    config["vision_config"]["embed_dim"] = 32;
  } else {
    config["vision_config"]["out_hidden_size"] = 64;
  }
  return config;
}

std::string refusal(const json& config) {
  return error_message(ErrorCode::Checkpoint, [&] { make_model(config); });
}

TEST(QwenVlConfig, ImpossibleSizesAreNamed) {
  const auto vision = [](const char* type, const char* key, const json& value) {
    json config = qwen(type);
    config["vision_config"][key] = value;
    return refusal(config);
  };
  EXPECT_EQ(vision("qwen2_vl", "depth", 0),
            "config.json: vision_config: depth must be above 0 and at most 1000000, found 0");
  EXPECT_EQ(vision("qwen2_vl", "num_heads", 3),
            "config.json: vision_config: embed_dim 32 does not make 3 heads of a multiple of 4");
  EXPECT_EQ(vision("qwen2_5_vl", "window_size", 20),
            "config.json: vision_config: window_size 20 is smaller than the patches that are "
            "merged");
  EXPECT_EQ(vision("qwen2_5_vl", "out_hidden_size", 32),
            "config.json: the vision tower gives rows of 32 values, the text has 64");
  EXPECT_EQ(vision("qwen2_vl", "patch_size", "x"),
            "config.json: vision_config: 'patch_size' must be a whole number, found \"x\"");
}

TEST(QwenVlConfig, SectionsMustMakeUpAHead) {
  json config = qwen("qwen2_vl");
  config["rope_scaling"]["mrope_section"] = {2, 3, 4};
  const std::string message =
      "config.json: mrope_section must be three numbers that make up the 8 pairs of a head";
  EXPECT_EQ(refusal(config), message);
  config["rope_scaling"].erase("mrope_section");  // 16, 24, 24
  EXPECT_EQ(refusal(config), message);
}

TEST(QwenVlConfig, PatchesOfAnotherProcessorAreRefused) {
  const auto model = make_model(qwen("qwen2_vl"));
  const auto context = [&](const at::Tensor& pixels) {
    const ImageInput images{{"pixel_values", pixels},
                            {"image_grid_thw", at::tensor({1, 4, 4}, at::kLong).view({1, 3})}};
    model->tower()->context(images, at::kFloat);
  };
  expect_error(ErrorCode::Checkpoint,
               "pixel_values: patches have 588 values, the vision tower reads 1176; do "
               "preprocessor_config.json and config.json belong together?",
               [&] {
                 context(at::zeros({16, 588}));
               });
  expect_error(ErrorCode::Checkpoint,
               "the images of a text have 15 patches, their grids 16; do preprocessor_config.json "
               "and config.json belong together?",
               [&] {
                 context(at::zeros({15, 1176}));
               });
}

}  // namespace
}  // namespace oneshot
