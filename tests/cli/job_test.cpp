// From a recipe to what the engine is asked for.
#include "cli/job.h"

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace oneshot::cli {
namespace {

std::optional<CalibrationRequest> request_of(const std::string& calibration) {
  TemporaryFolder folder;
  const auto file = folder.path() / "recipe.yaml";
  write_file(file, "version: 1\n" + calibration + "modifiers: [quantize: {scheme: FP8_DYNAMIC}]\n");
  return calibration_request(read_recipe({.recipe = file}));
}

TEST(CalibrationRequestOfARecipe, HasEveryOption) {
  const auto request = request_of(
      "calibration:\n"
      "  dataset: [{path: /d/a.jsonl, samples: 3, field: f, format: jsonl}, {path: /d/b, format: "
      "text},\n"
      "            {path: /d/c, format: json}, {path: /d/d.json}]\n"
      "  samples: 9\n"
      "  sequence_length: 7\n"
      "  seed: 5\n"
      "  shuffle: false\n"
      "  short: pack\n"
      "  special_tokens: true\n"
      "  chat_template: none\n"
      "  extra_data_dir: /images\n"
      "  template: /t.json\n"
      "  allow_fewer: true\n");
  ASSERT_TRUE(request);
  ASSERT_EQ(request->datasets.size(), 4U);
  EXPECT_EQ(request->datasets[0].path, "/d/a.jsonl");
  EXPECT_EQ(request->datasets[0].samples, 3);
  EXPECT_EQ(request->datasets[0].field, "f");
  EXPECT_EQ(request->datasets[0].format, DatasetFormat::JsonLines);
  EXPECT_TRUE(request->datasets[0].where.ends_with("recipe.yaml:3:20"))
      << request->datasets[0].where;
  EXPECT_EQ(request->datasets[1].format, DatasetFormat::Text);
  EXPECT_EQ(request->datasets[2].format, DatasetFormat::Json);
  EXPECT_EQ(request->datasets[3].format, DatasetFormat::Auto);
  EXPECT_EQ(request->datasets[3].samples, std::nullopt);
  EXPECT_EQ(request->samples, 9);
  EXPECT_EQ(request->sequence_length, 7);
  EXPECT_EQ(request->seed, 5U);
  EXPECT_FALSE(request->shuffle);
  EXPECT_EQ(request->short_samples, ShortSamples::Pack);
  EXPECT_TRUE(request->special_tokens);
  EXPECT_EQ(request->chat_template, "none");
  EXPECT_EQ(request->extra_data_dir, "/images");
  EXPECT_EQ(request->template_file, "/t.json");
  EXPECT_TRUE(request->allow_fewer);
  EXPECT_NE(request->where.find("recipe.yaml:2:"), std::string::npos) << request->where;
}

TEST(CalibrationRequestOfARecipe, HasTheDefaultsOfTheLanguage) {
  const auto request = request_of("calibration: {dataset: /d/a.jsonl}\n");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->samples, 512);
  EXPECT_EQ(request->sequence_length, 512);
  EXPECT_EQ(request->seed, 42U);
  EXPECT_TRUE(request->shuffle);
  EXPECT_EQ(request->short_samples, std::nullopt);
  EXPECT_FALSE(request->special_tokens);
  EXPECT_EQ(request->chat_template, "auto");
  EXPECT_FALSE(request->allow_fewer);
  EXPECT_FALSE(request_of(""));
}

}  // namespace
}  // namespace oneshot::cli
