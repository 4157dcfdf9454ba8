// Every file of tests/data/recipes/valid is accepted; beside NAME.yaml stands NAME.resolved, the
// same recipe with all defaults written out (ONESHOT_UPDATE_GOLDENS=1 writes them anew).
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/recipes/recipe_language.h"

namespace oneshot::recipes {
namespace {

namespace fs = std::filesystem;

TEST(ValidRecipe, ResolvesToItsGolden) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(ONESHOT_TEST_DATA "/recipes/valid")) {
    const fs::path& path = entry.path();
    if (path.extension() != ".yaml") {
      continue;
    }
    ++count;
    SCOPED_TRACE(path.filename().string());
    const std::string resolved = parse_whole(read_text(path.string())).resolved();
    EXPECT_EQ(resolved, golden(fs::path(path).replace_extension(".resolved").string(), resolved))
        << "if that is right: run this test with ONESHOT_UPDATE_GOLDENS=1";
    EXPECT_EQ(parse_whole(resolved).resolved(), resolved);
  }
  EXPECT_GE(count, 8);
}

/// `generate` of the recipe that `recipe` resolves to.
std::string generate_again(const Recipe& recipe) {
  return *parse(recipe.resolved()).evaluation->generate;
}

TEST(ValidRecipe, AnyTextComesBack) {
  for (const char* text :
       {"no",   "null",       "~",  "1",    "0x1",  "1e3",       ".inf", "=",  "- a",        "a: b",
        "a #b", "it's",       "\"", "\\n",  "a\nb", "tab\there", " x ",  "*a", "&a",         "!a",
        "%a",   "@a",         "`a", "{",    "[a]",  "a, b",      "?",    "é",  "<<",         "---",
        "...",  "2024-01-01", "Y",  "true", "a b",  "x:",        "|",    ">",  "re:.*\\.mlp"}) {
    Recipe recipe =
        parse("version: 1\nmodifiers: [quantize: {scheme: W4A16}]\nevaluation: {generate: x}\n",
              {"evaluation.generate=" + nlohmann::json(text).dump()});
    EXPECT_EQ(*recipe.evaluation->generate, text);
    EXPECT_EQ(generate_again(recipe), text);
  }
}

TEST(ValidRecipe, PathsResolveToTheSamePlace) {
  const std::string text =
      "version: 1\nmodel: {tokenizer: ../tok}\nmodifiers: [quantize: {scheme: W4A16}]\n";
  const Recipe recipe = parse(text, {"model.vision_tower=tower"}, "/recipes/recipe.yaml");
  const Recipe again = parse(recipe.resolved(), {}, "/recipes/recipe.yaml");
  EXPECT_EQ(again.model.tokenizer, recipe.model.tokenizer);
  EXPECT_EQ(again.model.vision_tower, recipe.model.vision_tower);
}

}  // namespace
}  // namespace oneshot::recipes
