// From the text of a recipe to its struct.
#include "recipes/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/recipes/recipe_language.h"

namespace oneshot::recipes {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kSmallest = "version: 1\nmodifiers:\n  - quantize: {scheme: W4A16}\n";

TEST(Recipe, TheSmallestOneHasDefaults) {
  const Recipe recipe = parse(kSmallest);
  EXPECT_EQ(recipe.file, "recipe.yaml");
  EXPECT_EQ(recipe.model.dtype, std::nullopt);
  EXPECT_EQ(recipe.model.tokenizer, std::nullopt);
  EXPECT_FALSE(recipe.calibration);
  EXPECT_FALSE(recipe.evaluation);
  EXPECT_THAT(recipe.output.formats, IsEmpty());
  EXPECT_EQ(recipe.output.shard_size, 5'000'000'000);
  ASSERT_EQ(recipe.modifiers.size(), 1u);
  EXPECT_EQ(recipe.modifiers[0].name, "quantize");
  EXPECT_EQ(recipe.modifiers[0].where, "recipe.yaml:3:5");
}

TEST(Recipe, ModifiersKeepTheirOrderAndMayComeTwice) {
  const Recipe recipe = parse(
      "version: 1\nmodifiers:\n  - sign_round: {scheme: W4A16}\n  - quantize: {scheme: W8A16}\n"
      "  - sign_round: {scheme: W2A16, iterations: 7}\n");
  ASSERT_EQ(recipe.modifiers.size(), 3u);
  EXPECT_EQ(recipe.modifiers[0].name, "sign_round");
  EXPECT_EQ(recipe.modifiers[1].name, "quantize");
  EXPECT_EQ(recipe.modifiers[2].name, "sign_round");
  EXPECT_EQ(recipe.modifiers[2].index, 2u);
  EXPECT_EQ(recipe.modifiers[0].options.integer("iterations"), 200);
  EXPECT_EQ(recipe.modifiers[2].options.integer("iterations"), 7);
  EXPECT_EQ(recipe.modifiers[2].options.where("iterations"), "recipe.yaml:5:45");
}

TEST(Recipe, Calibration) {
  const Recipe recipe = parse(std::string(kSmallest) + "calibration: {dataset: a.jsonl}\n");
  const CalibrationOptions& calibration = *recipe.calibration;
  ASSERT_EQ(calibration.datasets.size(), 1u);
  EXPECT_TRUE(calibration.datasets[0].path.is_absolute());
  EXPECT_EQ(calibration.datasets[0].where, "recipe.yaml:4:24");
  EXPECT_EQ(calibration.samples, 512);
  EXPECT_EQ(calibration.sequence_length, 512);
  EXPECT_EQ(calibration.seed, 42u);
  EXPECT_TRUE(calibration.shuffle);
  EXPECT_EQ(calibration.short_rows, std::nullopt);
  EXPECT_FALSE(calibration.special_tokens);
  EXPECT_EQ(calibration.chat_template, "auto");
  EXPECT_EQ(calibration.extra_data_dir, std::nullopt);
  EXPECT_EQ(calibration.template_file, std::nullopt);
  EXPECT_FALSE(calibration.allow_fewer);
  EXPECT_EQ(calibration.where, "recipe.yaml:4:1");
}

TEST(Recipe, EveryKeyOfTheSections) {
  const Recipe recipe = parse(
      std::string(kSmallest) + R"(model: {dtype: bfloat16, tokenizer: tok, vision_tower: /tower}
calibration:
  dataset: [{path: a.json, samples: 3, field: prompt, format: json}, {path: /b.jsonl}]
  samples: 4
  sequence_length: 64
  seed: 7
  shuffle: false
  short: pack
  special_tokens: true
  chat_template: chat.jinja
  extra_data_dir: images/
  template: t.json
  allow_fewer: true
output: {formats: [compressed-tensors], shard_size: 1GiB}
evaluation:
  text: held.txt
  choices: vqa.jsonl
  generate: no
  samples: 8
  sequence_length: 128
  max_perplexity_ratio: 1.05
)",
      {},
      "/recipes/recipe.yaml");
  EXPECT_EQ(recipe.model.dtype, Dtype::Bf16);
  EXPECT_EQ(recipe.model.tokenizer, "/recipes/tok");
  EXPECT_EQ(recipe.model.vision_tower, "/tower");
  const CalibrationOptions& calibration = *recipe.calibration;
  ASSERT_EQ(calibration.datasets.size(), 2u);
  EXPECT_EQ(calibration.datasets[0].path, "/recipes/a.json");
  EXPECT_EQ(calibration.datasets[0].samples, 3);
  EXPECT_EQ(calibration.datasets[0].field, "prompt");
  EXPECT_EQ(calibration.datasets[0].format, "json");
  EXPECT_EQ(calibration.datasets[1].path, "/b.jsonl");
  EXPECT_EQ(calibration.datasets[1].samples, std::nullopt);
  EXPECT_EQ(calibration.datasets[1].format, "auto");
  EXPECT_EQ(calibration.samples, 4);
  EXPECT_EQ(calibration.seed, 7u);
  EXPECT_FALSE(calibration.shuffle);
  EXPECT_EQ(calibration.short_rows, ShortRows::Pack);
  EXPECT_TRUE(calibration.special_tokens);
  EXPECT_EQ(calibration.chat_template, "/recipes/chat.jinja");
  EXPECT_EQ(calibration.extra_data_dir, "/recipes/images/");
  EXPECT_EQ(calibration.template_file, "/recipes/t.json");
  EXPECT_TRUE(calibration.allow_fewer);
  EXPECT_THAT(recipe.output.formats, ElementsAre("compressed_tensors"));
  EXPECT_EQ(recipe.output.shard_size, int64_t{1} << 30);
  EXPECT_EQ(recipe.evaluation->text, "/recipes/held.txt");
  EXPECT_EQ(recipe.evaluation->choices, "/recipes/vqa.jsonl");
  EXPECT_EQ(recipe.evaluation->generate, "no");
  EXPECT_EQ(recipe.evaluation->samples, 8);
  EXPECT_EQ(recipe.evaluation->sequence_length, 128);
  EXPECT_EQ(recipe.evaluation->max_perplexity_ratio, 1.05);
}

TEST(Recipe, SelectionsKnowWherePatternsStand) {
  const Recipe recipe = parse(R"(version: 1
modifiers:
  - quantize:
      scheme: W4A16
      targets: Linear
      ignore: [lm_head, 're:vision.*']
      fp_layers:
        - layers.0.mlp
      allow_unmatched: true
)");
  const Selection selection = read_selection(recipe.modifiers[0].options);
  ASSERT_EQ(selection.targets->size(), 1u);
  EXPECT_EQ(selection.targets->at(0).text, "Linear");
  EXPECT_EQ(selection.targets->at(0).where, "recipe.yaml:5:16");
  ASSERT_EQ(selection.ignore.size(), 2u);
  EXPECT_EQ(selection.ignore[1].text, "re:vision.*");
  EXPECT_EQ(selection.ignore[1].where, "recipe.yaml:6:25");
  EXPECT_EQ(selection.fp_layers.at(0).where, "recipe.yaml:8:11");
  EXPECT_TRUE(selection.allow_unmatched);

  const Selection defaults = read_selection(parse(kSmallest).modifiers[0].options);
  EXPECT_EQ(defaults.targets, std::nullopt);
  EXPECT_THAT(defaults.ignore, IsEmpty());
  EXPECT_THAT(defaults.fp_layers, IsEmpty());
  EXPECT_FALSE(defaults.allow_unmatched);
}

}  // namespace
}  // namespace oneshot::recipes
