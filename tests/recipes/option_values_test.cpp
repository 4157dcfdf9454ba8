// The typed view of a checked mapping: values, defaults, places.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipes/option_reader.h"
#include "recipes/yaml_document.h"
#include "tests/recipes/recipe_language.h"

namespace oneshot::recipes {
namespace {

using testing::ElementsAre;

std::vector<Option> one_of_each() {
  return {
      {.name = "flag", .type = OptionType::Bool, .fallback = "false"},
      {.name = "count", .type = OptionType::Int, .fallback = "512"},
      {.name = "ratio", .type = OptionType::Float, .fallback = "0.25"},
      {.name = "word", .fallback = "auto"},
      {.name = "texts", .type = OptionType::TextList, .fallback = "[a, b]"},
      {.name = "patterns", .type = OptionType::Patterns},
      {.name = "file", .type = OptionType::Path, .words = {"auto"}},
      {.name = "images", .type = OptionType::ImageFolder},
      {.name = "size", .type = OptionType::Size, .fallback = "5GB"},
      {.name = "pair", .type = OptionType::IntPair, .fallback = "[128, 64]"},
      {.name = "inner",
       .type = OptionType::Mapping,
       .fallback = "{}",
       .fields = {{.name = "depth", .type = OptionType::Int, .fallback = "2"}}},
  };
}

OptionValues read(const std::string& text, const std::string& file = "t.yaml") {
  const auto table = std::make_shared<Option>(
      Option{.name = "test", .type = OptionType::Mapping, .fields = one_of_each()});
  return read_options(parse_yaml(text, file), table, {"/recipes", "/here"});
}

TEST(OptionValues, HoldsDefaults) {
  const OptionValues values = read("flag: true\n");
  EXPECT_TRUE(values.boolean("flag"));
  EXPECT_EQ(values.integer("count"), 512);
  EXPECT_EQ(values.number("count"), 512.0);
  EXPECT_EQ(values.number("ratio"), 0.25);
  EXPECT_EQ(values.text("word"), "auto");
  EXPECT_THAT(values.list("texts"), ElementsAre("a", "b"));
  EXPECT_EQ(values.integer("size"), 5'000'000'000);
  EXPECT_THAT(values.integers("pair"), ElementsAre(128, 64));
  EXPECT_EQ(values.mapping("inner").integer("depth"), 2);
  EXPECT_TRUE(values.has("count"));
  EXPECT_FALSE(values.given("count"));
  EXPECT_FALSE(values.has("patterns"));
}

TEST(OptionValues, FindsTheFolderOfImages) {
  const std::string file = "/recipes/t.yaml";
  EXPECT_EQ(read("images: a/b", file).path("images"), "/recipes/a/b");
  const OptionValues several = read("images: 'video=v,image=../a'", file);
  EXPECT_EQ(several.path("images"), "/a");
  EXPECT_EQ(several.text("images"), "video=v,image=../a");
  EXPECT_EQ(read("images: image=/x=y", file).path("images"), "/x=y");
  EXPECT_EQ(read("images: a=b", file).path("images"), "/recipes/a=b");
  const auto refused = [&](const std::string& value) {
    return error_of([&] { read("images: '" + value + "'\n", file); });
  };
  EXPECT_EQ(
      refused("image=a,vidio=b"),
      "2 /recipes/t.yaml:1:9: 'images' knows the kinds image, video and audio, found 'vidio', did "
      "you mean 'video'?");
  EXPECT_EQ(refused("image=a,image=b"), "2 /recipes/t.yaml:1:9: 'images' names 'image' twice");
  EXPECT_EQ(refused("image=a,"),
            "2 /recipes/t.yaml:1:9: 'images' must be KIND=DIR between commas, found ''");
  EXPECT_EQ(refused("video=a"),
            "2 /recipes/t.yaml:1:9: 'images' names no folder of images: write image=DIR");
}

TEST(OptionValues, KnowsWhereThingsStand) {
  const OptionValues values = read("count: 3\ntexts: [x, y]\ninner:\n  depth: 4\npatterns: é\n");
  EXPECT_EQ(values.where("count"), "t.yaml:1:8");
  EXPECT_EQ(values.where_item("texts", 1), "t.yaml:2:12");
  EXPECT_EQ(values.mapping("inner").where(), "t.yaml:3:1");
  EXPECT_EQ(values.mapping("inner").where("depth"), "t.yaml:4:10");
  EXPECT_EQ(values.where("ratio"), "t.yaml:1:1") << "not given: where the mapping stands";
  EXPECT_EQ(read("inner: {}").mapping("inner").where("depth"), "t.yaml:1:1");
}

TEST(OptionValues, TextsAreAsWritten) {
  for (const std::string word :
       {"no", "off", "yes", "true", "128", "0x1F", "1e3", "W4A16", "a b"}) {
    EXPECT_EQ(read("word: " + word).text("word"), word);
    EXPECT_EQ(read("word: '" + word + "'").text("word"), word);
    EXPECT_THAT(read("texts: " + word).list("texts"), ElementsAre(word));
  }
}

TEST(OptionValues, NumbersAndBooleans) {
  EXPECT_EQ(read("count: -7").integer("count"), -7);
  EXPECT_EQ(read("count: +7").integer("count"), 7);
  EXPECT_EQ(read("count: 0").integer("count"), 0);
  EXPECT_EQ(read("count: -9223372036854775808").integer("count"), INT64_MIN);
  EXPECT_EQ(read("ratio: 1e-3").number("ratio"), 1e-3);
  EXPECT_EQ(read("ratio: -.5").number("ratio"), -0.5);
  EXPECT_EQ(read("ratio: 3").number("ratio"), 3.0);
  EXPECT_TRUE(read("flag: TRUE").boolean("flag"));
  EXPECT_FALSE(read("flag: False").boolean("flag"));
}

TEST(OptionValues, Sizes) {
  EXPECT_EQ(read("size: 123").integer("size"), 123);
  EXPECT_EQ(read("size: 2kB").integer("size"), 2000);
  EXPECT_EQ(read("size: '3MB'").integer("size"), 3'000'000);
  EXPECT_EQ(read("size: 8GiB").integer("size"), int64_t{8} << 30);
  EXPECT_EQ(read("size: 1TiB").integer("size"), int64_t{1} << 40);
}

TEST(OptionValues, OtherSizesAreRefused) {
  for (const char* wrong : {"5G", "GB", "1.5GB", "-1", "5gb", "010", "0x10", "[1]", "1e9"}) {
    EXPECT_EQ(error_of([&] { read(std::string("size: ") + wrong); }).substr(0, 30),
              "2 t.yaml:1:7: 'size' must be a")
        << wrong;
  }
}

TEST(OptionValues, Paths) {
  const auto read_there = [](const std::string& text) { return read(text, "/recipes/t.yaml"); };
  EXPECT_EQ(read_there("file: data/a.txt").path("file"), "/recipes/data/a.txt");
  EXPECT_EQ(read_there("file: ../a.txt").path("file"), "/a.txt");
  EXPECT_EQ(read_there("file: /a//b").path("file"), "/a/b");
  EXPECT_EQ(read_there("file: ../a.txt").text("file"), "../a.txt");
  EXPECT_EQ(read_there("file: auto").path("file"), "") << "a word is no path";
  EXPECT_EQ(read_there("file: auto").text("file"), "auto");
}

#ifndef NDEBUG
TEST(OptionValuesDeathTest, AskingForWhatIsNotThereIsABug) {
  const OptionValues values = read("flag: true\n");
  EXPECT_DEATH(values.has("flags"), "no such option");
  EXPECT_DEATH(values.integer("flag"), "not of this type");
  EXPECT_DEATH(values.list("patterns"), "ask has");
}
#endif

}  // namespace
}  // namespace oneshot::recipes
