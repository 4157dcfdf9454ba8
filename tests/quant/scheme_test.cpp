// The presets, against the table of compressed-tensors.
#include "engine/quant/scheme.h"

#include <gtest/gtest.h>

#include <map>

namespace oneshot {
namespace {

TEST(Scheme, EveryPresetIsWhatItsNameMeans) {
  const std::map<std::string, std::string> expected{
      {"W2A16", "int2 group 128 symmetric"},
      {"W3A16", "int3 group 128 symmetric"},
      {"W4A16", "int4 group 128 symmetric"},
      {"W5A16", "int5 group 128 symmetric"},
      {"W6A16", "int6 group 128 symmetric"},
      {"W7A16", "int7 group 128 symmetric"},
      {"W8A16", "int8 group 128 symmetric"},
      {"W4A16_ASYM", "int4 group 128 asymmetric"},
      {"W8A8", "int8 channel symmetric + int8 token dynamic"},
      {"INT8", "int8 channel symmetric + int8 token dynamic"},
      {"W4A8", "int4 group 128 symmetric + int8 token dynamic"},
      {"W4AFP8", "int4 group 128 symmetric + float8 token dynamic"},
      {"FP8", "float8 tensor + float8 tensor"},
      {"FP8_DYNAMIC", "float8 channel + float8 token dynamic"},
      {"FP8_BLOCK", "float8 block 128x128 + float8 group 128 dynamic"},
      {"NVFP4A16", "float4 group 16"},
      {"NVFP4", "float4 group 16 + float4 group 16 dynamic"},
      {"MXFP4A16", "float4 group 32"},
      {"MXFP4", "float4 group 32 + float4 group 32 dynamic"},
      {"MXFP8A16", "float8 group 32"},
      {"MXFP8", "float8 group 32 + float8 group 32 dynamic"},
  };
  EXPECT_EQ(presets().size(), expected.size());
  for (const Preset& preset : presets()) {
    EXPECT_EQ(describe(preset.scheme), expected.at(preset.scheme.name)) << preset.scheme.name;
    EXPECT_EQ(invalid(preset.scheme.weights), std::nullopt) << preset.scheme.name;
  }
}

TEST(Scheme, NamesAreFoundInAnyCase) {
  EXPECT_EQ(find_preset("fp8_dynamic")->name, "FP8_DYNAMIC");
  EXPECT_FALSE(find_preset("FP9"));
}

TEST(Scheme, StaticActivationsNeedCalibration) {
  EXPECT_TRUE(find_preset("FP8")->needs_calibration());
  EXPECT_TRUE(find_preset("NVFP4")->needs_calibration());
  EXPECT_FALSE(find_preset("FP8_DYNAMIC")->needs_calibration());
  EXPECT_FALSE(find_preset("MXFP4")->needs_calibration());
}

TEST(Scheme, ScalesHaveTheShapeOfTheirStrategy) {
  using Shape = std::vector<int64_t>;
  QuantArgs args{.strategy = Strategy::Tensor};
  EXPECT_EQ(scale_shape(args, 6, 100), Shape({1}));
  args.strategy = Strategy::Channel;
  EXPECT_EQ(scale_shape(args, 6, 100), Shape({6, 1}));
  args.strategy = Strategy::Group;
  args.group_size = 32;
  EXPECT_EQ(scale_shape(args, 6, 96), Shape({6, 3}));
  EXPECT_EQ(scale_shape(args, 6, 20), Shape({6, 1}));  // one short group
  QuantArgs block{.strategy = Strategy::Block, .block_rows = 4, .block_columns = 64};
  EXPECT_EQ(scale_shape(block, 6, 100), Shape({2, 2}));
}

TEST(Scheme, NonsenseIsNamed) {
  EXPECT_EQ(invalid({.bits = 9}), "integers have 2 to 8 bits, not 9");
  EXPECT_EQ(invalid({.bits = 8, .type = NumberType::Float, .symmetric = false}),
            "floats are symmetric");
  EXPECT_EQ(invalid({.strategy = Strategy::Group}), "strategy group needs a group_size above 0");
  EXPECT_EQ(invalid({.strategy = Strategy::Channel, .group_size = 8}),
            "group_size goes with strategy group only");
}

}  // namespace
}  // namespace oneshot
