// From the options of a quantizing modifier to its Scheme.
#include <gtest/gtest.h>

#include "tests/recipes/recipe_language.h"

namespace oneshot::recipes {
namespace {

Scheme scheme_of(const std::string& options) {
  const Recipe recipe = parse("version: 1\nmodifiers: [quantize: {" + options + "}]\n");
  return read_scheme(recipe.modifiers[0].options, "quantize");
}

Scheme custom(const std::string& scheme) {
  return scheme_of("scheme: {" + scheme + "}");
}

TEST(SchemeReader, KnowsEveryPresetInAnyCase) {
  for (const Preset& preset : presets()) {
    const std::string& name = preset.scheme.name;
    EXPECT_EQ(scheme_of("scheme: " + name), preset.scheme);
    std::string lower = name;
    for (char& c : lower) {
      c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    EXPECT_EQ(scheme_of("scheme: " + lower), preset.scheme);
  }
}

TEST(SchemeReader, OverridesBesideAPreset) {
  const Scheme preset = *find_preset("W4A16");
  Scheme expected = preset;
  expected.weights.group_size = 32;
  expected.weights.symmetric = false;
  EXPECT_EQ(scheme_of("scheme: W4A16, group_size: 32, symmetric: false"), expected);
  expected = preset;
  expected.weights.strategy = Strategy::Channel;
  expected.weights.group_size = 0;
  EXPECT_EQ(scheme_of("scheme: W4A16, group_size: -1"), expected);
  expected = *find_preset("W8A8");
  expected.weights.strategy = Strategy::Group;
  expected.weights.group_size = 64;
  EXPECT_EQ(scheme_of("scheme: W8A8, group_size: 64"), expected);
  expected = *find_preset("W4A16_ASYM");
  expected.weights.symmetric = true;
  EXPECT_EQ(scheme_of("scheme: W4A16_ASYM, symmetric: true"), expected);
}

TEST(SchemeReader, ScaleDtype) {
  EXPECT_EQ(scheme_of("scheme: W4A16").weights.scale_dtype, ScaleDtype::Weight);
  EXPECT_EQ(scheme_of("scheme: W4A16, scale_dtype: auto").weights.scale_dtype, ScaleDtype::Weight);
  EXPECT_EQ(scheme_of("scheme: W4A16, scale_dtype: float16").weights.scale_dtype, ScaleDtype::F16);
  EXPECT_EQ(scheme_of("scheme: MXFP4A16").weights.scale_dtype, ScaleDtype::E8M0);
}

TEST(SchemeReader, CustomWeightsInferTheStrategy) {
  const Scheme tensor = custom("weights: {bits: 8, type: FLOAT}");
  EXPECT_EQ(tensor.name, "custom");
  EXPECT_EQ(tensor.weights.type, NumberType::Float);
  EXPECT_EQ(tensor.weights.strategy, Strategy::Tensor);
  EXPECT_EQ(tensor.weights.observer, "memoryless_minmax");
  EXPECT_EQ(tensor.input_activations, std::nullopt);

  Scheme expected = *find_preset("W4A16");
  expected.name = "custom";
  EXPECT_EQ(custom("weights: {bits: 4, group_size: 128}"), expected);
  EXPECT_EQ(custom("weights: {bits: 4, strategy: Group, group_size: 128, symmetric: true, "
                   "observer: minmax, dynamic: false}"),
            expected);
  EXPECT_EQ(custom("weights: {bits: 4, group_size: -1}").weights.strategy, Strategy::Channel);
  EXPECT_EQ(custom("weights: {bits: 4, group_size: -1}").weights.group_size, 0);
  EXPECT_EQ(custom("weights: {bits: 4, strategy: channel}").weights.strategy, Strategy::Channel);
  EXPECT_FALSE(custom("weights: {bits: 4, symmetric: false}").weights.symmetric);
}

TEST(SchemeReader, CustomSchemesCanEqualPresets) {
  const auto equals = [](const std::string& scheme, const char* preset) {
    Scheme expected = *find_preset(preset);
    expected.name = "custom";
    EXPECT_EQ(custom(scheme), expected) << preset;
  };
  equals("weights: {bits: 8, strategy: channel}, input_activations: {bits: 8, dynamic: true}",
         "W8A8");
  equals(
      "weights: {bits: 8, type: float, strategy: channel}, "
      "input_activations: {bits: 8, type: float, dynamic: true}",
      "FP8_DYNAMIC");
  equals("weights: {bits: 8, type: float}, input_activations: {bits: 8, type: float}", "FP8");
  equals(
      "weights: {bits: 8, type: float, block_structure: [128, 128]}, "
      "input_activations: {bits: 8, type: float, group_size: 128, dynamic: true}",
      "FP8_BLOCK");
}

TEST(SchemeReader, StaticActivationsAreMeasured) {
  const QuantArgs inputs =
      *custom("weights: {bits: 8}, input_activations: {bits: 8, symmetric: false}")
           .input_activations;
  EXPECT_EQ(inputs.strategy, Strategy::Tensor);
  EXPECT_EQ(inputs.dynamic, Dynamic::No);
  EXPECT_EQ(inputs.observer, "static_minmax");
  EXPECT_FALSE(inputs.symmetric);
}

TEST(SchemeReader, NamesTheModifierThatAsks) {
  const Recipe recipe =
      parse("version: 1\nmodifiers: [sign_round: {scheme: FP8_DYNAMIC, group_size: 32}]\n");
  EXPECT_EQ(
      error_of([&] { read_scheme(recipe.modifiers[0].options, "sign_round"); }),
      "2 recipe.yaml:2:59: sign_round: 'group_size' does not go with FP8_DYNAMIC: only integer "
      "weights have groups of any size");
}

}  // namespace
}  // namespace oneshot::recipes
