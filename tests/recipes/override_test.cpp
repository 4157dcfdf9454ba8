// --set KEY=VALUE.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/recipes/recipe_language.h"

namespace oneshot::recipes {
namespace {

constexpr const char* kRecipe = R"(version: 1
modifiers:
  - quantize: {scheme: W8A8, targets: [Linear, lm_head]}
  - sign_round: {scheme: {weights: {bits: 4}}, iterations: 200}
)";

Recipe set(const std::vector<std::string>& overrides) {
  return parse(kRecipe, overrides);
}

std::string set_error(const std::string& override) {
  return error_of([&] { parse_whole(kRecipe, {override}); });
}

TEST(Override, ReplacesOptionsOfAModifier) {
  const Recipe recipe = set({"modifiers.1.iterations=10",
                             "modifiers.1.scheme.weights.bits=3",
                             "modifiers.0.targets.1=head",
                             "modifiers.0.ignore=[a, 're:b.*']"});
  EXPECT_EQ(recipe.modifiers[1].options.integer("iterations"), 10);
  EXPECT_EQ(read_scheme(recipe.modifiers[1].options, "sign_round").weights.bits, 3);
  EXPECT_THAT(recipe.modifiers[0].options.list("targets"), testing::ElementsAre("Linear", "head"));
  EXPECT_THAT(recipe.modifiers[0].options.list("ignore"), testing::ElementsAre("a", "re:b.*"));
  EXPECT_EQ(recipe.modifiers[1].options.where("iterations"), "--set modifiers.1.iterations=10");
}

TEST(Override, MakesMissingSections) {
  const Recipe recipe = set({"calibration.dataset=a.jsonl",
                             "calibration.samples=4",
                             "output.formats=[auto-round]",
                             "model.dtype=float16"});
  EXPECT_EQ(recipe.calibration->samples, 4);
  EXPECT_EQ(recipe.output.formats, std::vector<std::string>{"auto_round"});
  EXPECT_EQ(recipe.model.dtype, Dtype::F16);
  EXPECT_EQ(set_error("calibration.samples=4"),
            "2 --set calibration.samples=4: calibration: 'dataset' is missing: add it, such as "
            "dataset: pile-10k.jsonl");
}

TEST(Override, ReplacesWholeParts) {
  const Recipe recipe = set({"modifiers.0={quantize: {scheme: W4A16}}"});
  EXPECT_EQ(recipe.modifiers[0].options.text("scheme"), "W4A16");
  EXPECT_EQ(set({"modifiers=[quantize: {scheme: FP8}]"}).modifiers.size(), 1u);
}

TEST(Override, LaterOnesWin) {
  const Recipe recipe = set({"modifiers.1.iterations=10", "modifiers.1.iterations=20"});
  EXPECT_EQ(recipe.modifiers[1].options.integer("iterations"), 20);
}

TEST(Override, RelativePathsStartAtTheCurrentFolder) {
  const ParseInput input{.text = kRecipe,
                         .file = "/recipes/recipe.yaml",
                         .overrides = {"calibration.dataset=../a.jsonl", "model.tokenizer=/t"},
                         .override_folder = "/here/now"};
  const Recipe recipe = parse_recipe(input, test_modifiers(), test_formats());
  EXPECT_EQ(recipe.calibration->datasets[0].path, "/here/a.jsonl");
  EXPECT_EQ(recipe.model.tokenizer, "/t");
  EXPECT_THAT(recipe.resolved(), testing::HasSubstr("dataset: /here/a.jsonl\n"));
  ParseInput beside = input;
  beside.override_folder = "/recipes/";
  EXPECT_THAT(parse_recipe(beside, test_modifiers(), test_formats()).resolved(),
              testing::HasSubstr("dataset: ../a.jsonl\n"));
}

TEST(Override, ErrorsStandAtTheArgument) {
  const std::pair<const char*, const char*> cases[] = {
      {"modifiers.1.iteration=10",
       "sign_round: unknown option 'iteration', did you mean 'iterations'?"},
      {"modifiers.1.iterations=many",
       "sign_round: 'iterations' must be a whole number, found 'many'"},
      {"modifiers.1.iterations=",
       "sign_round: 'iterations' has no value: remove it or write one, such as iterations: 1000"},
      {"modifiers.0.scheme=W4A61",
       "quantize: 'scheme' does not know 'W4A61', did you mean 'W4A16'?"},
      {"modifiers.0.group_size=0",
       "quantize: 'group_size' must be above 0, or -1 for a whole row, found '0'"},
      {"modifiers.0.scheme.weights.bits=4", "'scheme' is 'W8A8', which has no options"},
      {"modifiers.2.iterations=10", "'modifiers' is a list: write a number from 0 to 1, found '2'"},
      {"modifiers.-1.iterations=10",
       "'modifiers' is a list: write a number from 0 to 1, found '-1'"},
      {"modifiers.sign_round.iterations=1",
       "'modifiers' is a list: write a number from 0 to 1, found 'sign_round'"},
      {"modifiers.0=",
       "a modifier is its name and its options, NAME: {OPTION: VALUE}, found nothing"},
      {"modifiers.0={quantize: }",
       "'quantize' has no value: write its options, such as scheme: W4A16"},
      {"calibratoin.samples=4", "unknown option 'calibratoin', did you mean 'calibration'?"},
      {"output.formats=[auto_rond]",
       "output: 'formats' must be compressed_tensors, auto_round, auto_gptq or auto_awq, found "
       "'auto_rond', did you mean 'auto_round'?"},
      {"output.formats=[auto_round", "the '[' that begins here is never closed"},
      {"output.formats=[a\nb", "the '[' that begins here is never closed"},
      {"modifiers.0.ignore=['re:(']",
       "quantize: 'ignore': bad regular expression 're:(': missing ): ("},
      {"output={formats: [], formats: []}", "duplicate key 'formats'"},
      {"output=!!map {}", "a recipe has no tags, found '!!map'"},
      {"version=2", "'version' must be 1, found '2'"},
      {"extends=base.yaml", "'extends' stands in a recipe, not on the command line"},
      {"samples", "write KEY=VALUE, such as calibration.samples=128"},
      {"=4", "a word of the key is empty"},
      {"calibration..samples=4", "a word of the key is empty"},
  };
  for (const auto& [override, message] : cases) {
    std::string where = override;
    if (const size_t at = where.find('\n'); at != std::string::npos) {
      where.replace(at, 1, "\\n");
    }
    EXPECT_EQ(set_error(override), "2 --set " + where + ": " + message);
  }
}

TEST(Override, BadBytesAreEscaped) {
  EXPECT_EQ(set_error("output.formats=\xFF"), "2 --set output.formats=\\xFF: not UTF-8");
}

TEST(Override, NothingIsBelowAnEmptySection) {
  const std::string text = std::string("calibration:\n") + kRecipe;
  EXPECT_EQ(error_of([&] { parse(text, {"calibration.samples=4"}); }),
            "2 --set calibration.samples=4: 'calibration' has no value in the recipe");
}

}  // namespace
}  // namespace oneshot::recipes
