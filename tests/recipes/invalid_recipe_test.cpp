// Every file of tests/data/recipes/invalid is a recipe that is refused; beside NAME.yaml stands
// NAME.error: the exit code on the first line, the whole message on the second.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/recipes/recipe_language.h"

namespace oneshot::recipes {
namespace {

namespace fs = std::filesystem;

TEST(InvalidRecipe, IsRefusedWithTheWholeMessage) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(ONESHOT_TEST_DATA "/recipes/invalid")) {
    const fs::path& path = entry.path();
    if (path.extension() != ".yaml") {
      continue;
    }
    ++count;
    SCOPED_TRACE(path.filename().string());
    const std::string text = read_text(path.string());
    std::string expected = read_text(fs::path(path).replace_extension(".error").string());
    expected.replace(expected.find('\n'), 1, " ");
    const std::string found = error_of([&] { parse_whole(text, {}, path.filename().string()); });
    EXPECT_EQ(found + "\n", expected);
    EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 0) << "more than one line";
  }
  EXPECT_GE(count, 40);
}

TEST(InvalidRecipe, LargerThanOneMiB) {
  const std::string text = "version: 1\n#" + std::string(1 << 20, 'x');
  EXPECT_EQ(error_of([&] { parse(text); }), "2 recipe.yaml: larger than 1 MiB, which no recipe is");
}

TEST(InvalidRecipe, LongTextsAreCutInMessages) {
  const std::string option = "version: 1\n" + std::string(1000, 'x') + ": 1\n";
  EXPECT_EQ(error_of([&] { parse(option); }),
            "2 recipe.yaml:2:1: unknown option '" + std::string(60, 'x') +
                "…'; the options are version, extends, model, calibration, modifiers, output and "
                "evaluation");
}

TEST(InvalidRecipe, AFolderInItsNameIsKept) {
  EXPECT_EQ(error_of([&] { parse("", {}, "recipes/a\nb.yaml"); }),
            "2 recipes/a\\nb.yaml:1:1: the recipe is empty: begin with 'version: 1'");
}

}  // namespace
}  // namespace oneshot::recipes
