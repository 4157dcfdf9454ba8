// Recipes that stand in several files, or in llm-compressor's own, through the same code as the
// command line.
#include <gmock/gmock.h>

#include "engine/checkpoint/sha256.h"
#include "engine/error.h"
#include "tests/support/expect_error.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

using testing::HasSubstr;

std::string peer_recipe(const std::string& name) {
  return read_file(std::filesystem::path(ONESHOT_TEST_DATA) / "recipes/llm_compressor" /
                   (name + ".yaml"));
}

class PeerRecipe : public testing::TestWithParam<const char*> {};

TEST_P(PeerRecipe, WritesTheBytesOfThePeer) {
  const TemporaryFolder folder;
  const Report report = run_recipe(folder, {.recipe = peer_recipe(GetParam())});
  const auto golden = std::filesystem::path(ONESHOT_TEST_DATA) / "golden" / GetParam();
  const auto expected = nlohmann::json::parse(read_file(golden / "tensors.json"));
  EXPECT_EQ(sha256_file_hex(folder.path() / "out/model.safetensors"), expected["file_sha256"]);
  EXPECT_EQ(read_file(folder.path() / "out/config.json"), read_file(golden / "config.json"));
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_THAT(report.warnings[0], HasSubstr("read as an llm-compressor recipe"));
}

INSTANTIATE_TEST_SUITE_P(Schemes, PeerRecipe, testing::Values("lc_w4a16", "lc_fp8_dynamic"));

Plan plan_of(const std::string& recipe, const SourceCheckpoint& source) {
  const TemporaryFolder folder;
  return plan_job(job_of(folder, recipe), source, 1, {});
}

TEST(PeerRecipe, UnmatchedPatternsAreWarnings) {
  const SourceCheckpoint source(tiny_llama());
  const Plan plan = plan_of(
      "q_stage:\n  q_modifiers:\n    QuantizationModifier:\n      scheme: W4A16\n"
      "      ignore: [lm_head, 're:vision_model.*']\n",
      source);
  ASSERT_EQ(plan.warnings.size(), 1u);
  EXPECT_THAT(plan.warnings[0],
              testing::EndsWith("recipe.yaml:5:25: quantize: ignore 're:vision_model.*' matches no "
                                "module"));
}

TEST(PeerRecipe, AModuleOfSeveralGroupsHasOneScheme) {
  const SourceCheckpoint source(tiny_llama());
  const Plan plan = plan_of(
      "q_stage: {q_modifiers: {QuantizationModifier: {ignore: [lm_head], scheme: "
      "{W4A16: [Linear], W8A16: ['re:.*down_proj'], W3A16: [model.layers.0.mlp.down_proj]}}}}\n",
      source);
  std::map<std::string, int> modules;
  for (const PlannedModule& module : plan.modules) {
    if (module.scheme) {
      ++modules[module.scheme->name];
    }
  }
  // Two layers of seven Linears, of which one is a down_proj.
  EXPECT_EQ(modules, (std::map<std::string, int>{{"W4A16", 12}, {"W8A16", 1}, {"W3A16", 1}}));
}

TEST(ExtendedRecipe, IsReadFromItsFiles) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "bases");
  write_file(folder.path() / "bases/base.yaml",
             quantize_recipe("scheme: W4A16") + "model: {tokenizer: tok}\n");
  const std::string extends = "version: 1\nextends: bases/base.yaml\n";
  write_file(folder.path() / "recipe.yaml", extends);
  cli::RecipeArguments arguments;
  arguments.recipe = folder.path() / "recipe.yaml";
  const recipes::Recipe recipe = cli::read_recipe(arguments);
  EXPECT_EQ(recipe.model.tokenizer, folder.path() / "bases/tok");
  EXPECT_EQ(recipe.modifiers.at(0).name, "quantize");
}

TEST(ExtendedRecipe, WhatIsNoFileCannotBeRead) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "bases");
  for (const char* base : {"bases", "lost.yaml", "/dev/zero"}) {
    EXPECT_EQ(
        error_message(ErrorCode::Recipe,
                      [&] { job_of(folder, std::string("version: 1\nextends: ") + base + "\n"); }),
        (folder.path() / "recipe.yaml").string() + ":2:10: 'extends': " +
            (folder.path() / base).string() + " cannot be read; is the path right?");
  }
}

TEST(ExtendedRecipe, ACircleOverALinkIsSeen) {
  const TemporaryFolder folder;
  std::filesystem::create_directory_symlink(folder.path(), folder.path() / "link");
  EXPECT_THAT(error_message(ErrorCode::Recipe,
                            [&] { job_of(folder, "version: 1\nextends: link/recipe.yaml\n"); }),
              HasSubstr("recipe.yaml:2:10: 'extends' goes in a circle: "));
}

}  // namespace
}  // namespace oneshot
