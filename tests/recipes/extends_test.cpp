// `extends`: a recipe that builds on other files, which live in memory here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "tests/recipes/recipe_language.h"

namespace oneshot::recipes {
namespace {

using testing::ElementsAre;

using Files = std::map<std::string, std::string>;  // path → text

constexpr const char* kBase =
    "version: 1\n"
    "model: {dtype: bfloat16, tokenizer: tok}\n"
    "calibration:\n"
    "  dataset: data/a.jsonl\n"
    "  samples: 4\n"
    "  seed: 7\n"
    "modifiers:\n"
    "  - quantize: {scheme: W4A16, ignore: [lm_head]}\n"
    "output: {formats: [auto_round, auto_gptq]}\n";

/// The recipe at `file`, whose bases are read from `files` too.
Recipe parse_file(const Files& files,
                  const std::string& file,
                  const std::vector<std::string>& overrides = {}) {
  ParseInput input{.text = files.at(file), .file = file, .overrides = overrides};
  input.override_folder = "/here";
  input.read_base = [&](const std::filesystem::path& base) -> std::optional<std::string> {
    const auto found = files.find(base.string());
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  return parse_recipe(input, test_modifiers(), test_formats());
}

/// A recipe that extends kBase, in the same folder, with `text` below.
Recipe extend(const std::string& text, const std::vector<std::string>& overrides = {}) {
  const Files files = {{"/r/base.yaml", kBase},
                       {"/r/recipe.yaml", "version: 1\nextends: base.yaml\n" + text}};
  return parse_file(files, "/r/recipe.yaml", overrides);
}

std::string extend_error(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return error_of([&] { extend(text, overrides); });
}

std::string error_in(const Files& files, const std::string& file) {
  return error_of([&] { parse_file(files, file); });
}

TEST(Extends, AloneItIsTheBase) {
  const Recipe base = parse_file({{"/r/recipe.yaml", kBase}}, "/r/recipe.yaml");
  const Recipe recipe = extend("");
  EXPECT_EQ(recipe.resolved(), base.resolved());
  EXPECT_THAT(recipe.resolved(), testing::Not(testing::HasSubstr("extends")));
  EXPECT_EQ(recipe.modifiers[0].where, "/r/base.yaml:8:5");
}

TEST(Extends, MappingsMergeKeyByKey) {
  const Recipe recipe =
      extend("calibration: {samples: 9, shuffle: false}\nevaluation: {text: t.txt}\n");
  EXPECT_EQ(recipe.calibration->samples, 9);
  EXPECT_EQ(recipe.calibration->seed, 7u);
  EXPECT_FALSE(recipe.calibration->shuffle);
  EXPECT_EQ(recipe.calibration->datasets[0].path, "/r/data/a.jsonl");
  EXPECT_EQ(recipe.model.dtype, Dtype::Bf16);
  EXPECT_EQ(recipe.evaluation->text, "/r/t.txt");
}

TEST(Extends, ListsAreReplaced) {
  const Recipe recipe =
      extend("modifiers: [sign_round: {scheme: W2A16}]\noutput: {formats: [auto_awq]}\n");
  ASSERT_EQ(recipe.modifiers.size(), 1u);
  EXPECT_EQ(recipe.modifiers[0].name, "sign_round");
  EXPECT_THAT(recipe.output.formats, ElementsAre("auto_awq"));
}

TEST(Extends, AValueReplacesAMappingAndAMappingAValue) {
  const Files files = {
      {"a.yaml",
       "version: 1\nmodifiers: [quantize: {scheme: W4A16}]\n"
       "calibration: {dataset: [{path: x.jsonl}]}\n"},
      {"b.yaml", "version: 1\nextends: a.yaml\ncalibration: {dataset: y.jsonl}\n"},
      {"c.yaml", "version: 1\nextends: b.yaml\ncalibration: {dataset: [{path: z.jsonl}]}\n"}};
  EXPECT_EQ(parse_file(files, "b.yaml").calibration->datasets[0].path.filename(), "y.jsonl");
  EXPECT_EQ(parse_file(files, "c.yaml").calibration->datasets[0].path.filename(), "z.jsonl");
}

TEST(Extends, AWrittenNullTakesAKeyOut) {
  const Recipe recipe = extend("calibration: {samples: null}\nmodel: {tokenizer: ~}\n");
  EXPECT_EQ(recipe.calibration->samples, 512) << "the default again";
  EXPECT_EQ(recipe.model.tokenizer, std::nullopt);
  EXPECT_FALSE(extend("calibration: null\n").calibration);
  EXPECT_EQ(extend_error("modifiers: null\n"),
            "2 /r/recipe.yaml:1:1: 'modifiers' is missing: add it, such as "
            "modifiers: [quantize: {scheme: W4A16}]");
}

TEST(Extends, ANullOfAKeyThatNoBaseHasIsRefused) {
  EXPECT_EQ(extend_error("model: {vision_tower: null}\n"),
            "2 /r/recipe.yaml:3:9: model: 'vision_tower' has no value: remove it or write one, "
            "such as vision_tower: ../clip-vit-large-patch14-336");
}

TEST(Extends, AForgottenValueIsNoNull) {
  EXPECT_EQ(extend_error("calibration:\n"),
            "2 /r/recipe.yaml:3:1: 'calibration' has no value: remove it or write one, such as "
            "calibration: {dataset: pile-10k.jsonl}");
}

TEST(Extends, RelativePathsStartAtTheFileTheyStandIn) {
  const Files files = {
      {"/a/base.yaml", kBase},
      {"/b/c/mine.yaml", "version: 1\nextends: ../../a/base.yaml\nevaluation: {text: t.txt}\n"}};
  const Recipe recipe = parse_file(files, "/b/c/mine.yaml", {"model.vision_tower=tower"});
  EXPECT_EQ(recipe.calibration->datasets[0].path, "/a/data/a.jsonl");
  EXPECT_EQ(recipe.model.tokenizer, "/a/tok");
  EXPECT_EQ(recipe.evaluation->text, "/b/c/t.txt");
  EXPECT_EQ(recipe.model.vision_tower, "/here/tower");
  const Recipe again = parse_file({{"/b/c/mine.yaml", recipe.resolved()}}, "/b/c/mine.yaml");
  EXPECT_EQ(again.calibration->datasets[0].path, "/a/data/a.jsonl");
  EXPECT_EQ(again.evaluation->text, "/b/c/t.txt");
}

TEST(Extends, AChainOfManyFiles) {
  Files files = {{"/r/0.yaml", kBase}};
  constexpr int kLast = 200;
  for (int i = 1; i <= kLast; ++i) {
    files["/r/" + std::to_string(i) + ".yaml"] =
        "version: 1\nextends: " + std::to_string(i - 1) +
        ".yaml\ncalibration: {samples: " + std::to_string(i) + "}\n";
  }
  const Recipe recipe = parse_file(files, "/r/" + std::to_string(kLast) + ".yaml");
  EXPECT_EQ(recipe.calibration->samples, kLast);
  EXPECT_EQ(recipe.calibration->seed, 7u);
}

TEST(Extends, OverridesComeAfterTheMerge) {
  const Recipe recipe =
      extend("calibration: {samples: 9}\n", {"calibration.samples=3", "modifiers.0.scheme=W8A16"});
  EXPECT_EQ(recipe.calibration->samples, 3);
  EXPECT_EQ(recipe.modifiers[0].options.text("scheme"), "W8A16");
}

TEST(Extends, ErrorsNameTheFileOfTheMistake) {
  Files files = {{"/a/base.yaml", "version: 1\nmodifiers:\n  - quantize: {schema: W4A16}\n"},
                 {"/b/recipe.yaml", "version: 1\nextends: /a/base.yaml\n"}};
  EXPECT_EQ(error_in(files, "/b/recipe.yaml"),
            "2 /a/base.yaml:3:16: quantize: unknown option 'schema', did you mean 'scheme'?");
  files["/a/base.yaml"] = "version: 1\nmodifiers: [\n";
  EXPECT_EQ(error_in(files, "/b/recipe.yaml"),
            "2 /a/base.yaml:2:12: the '[' that begins here is never closed");
}

TEST(Extends, EveryFileHasItsVersion) {
  Files files = {{"base.yaml", "modifiers: [quantize: {scheme: W4A16}]\n"},
                 {"recipe.yaml", "version: 1\nextends: base.yaml\n"}};
  EXPECT_EQ(error_in(files, "recipe.yaml"),
            "2 base.yaml:1:1: 'version' is missing: begin with 'version: 1'");
  files["base.yaml"] = "version: 2\n";
  EXPECT_EQ(error_in(files, "recipe.yaml"), "2 base.yaml:1:10: 'version' must be 1, found '2'");
  files["base.yaml"] = "";
  EXPECT_EQ(error_in(files, "recipe.yaml"),
            "2 base.yaml:1:1: the recipe is empty: begin with 'version: 1'");
  files = {{"recipe.yaml", "version: null\nextends: base.yaml\n"}};
  EXPECT_EQ(error_in(files, "recipe.yaml"),
            "2 recipe.yaml:1:1: 'version' has no value: write 'version: 1'");
}

TEST(Extends, ACircleIsNamed) {
  const Files files = {{"/r/a.yaml", "version: 1\nextends: b.yaml\n"},
                       {"/r/b.yaml", "version: 1\nextends: s/../c.yaml\n"},
                       {"/r/c.yaml", "version: 1\nextends: ./b.yaml\n"},
                       {"/r/self.yaml", "version: 1\nextends: ../r/self.yaml\n"}};
  EXPECT_EQ(error_in(files, "/r/a.yaml"),
            "2 /r/c.yaml:2:10: 'extends' goes in a circle: /r/b.yaml → /r/c.yaml → /r/b.yaml");
  EXPECT_EQ(error_in(files, "/r/self.yaml"),
            "2 /r/self.yaml:2:10: 'extends' goes in a circle: /r/self.yaml → /r/self.yaml");
}

TEST(Extends, WhatItMustBe) {
  const std::pair<const char*, const char*> cases[] = {
      {"extends: lost/base.yaml",
       "2:10: 'extends': lost/base.yaml cannot be read; is the path right?"},
      {"extends:",
       "2:1: 'extends' has no value: remove it or write one, such as "
       "extends: base.yaml"},
      {"extends: [a.yaml]", "2:10: 'extends' must be the path of a recipe, found a list"},
      {"extends: ''", "2:10: 'extends' must be the path of a recipe, found an empty text"},
      {"extends: notes.md", "2:10: 'extends': notes.md cannot be read; is the path right?"},
  };
  for (const auto& [line, message] : cases) {
    const Files files = {{"recipe.yaml", "version: 1\n" + std::string(line) + "\n"}};
    EXPECT_EQ(error_in(files, "recipe.yaml"), "2 recipe.yaml:" + std::string(message));
  }
}

}  // namespace
}  // namespace oneshot::recipes
