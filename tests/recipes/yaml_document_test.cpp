// What the file of an invalid recipe cannot show: encodings, line ends, hostile documents.
#include "recipes/yaml_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/recipes/recipe_language.h"

namespace oneshot::recipes {
namespace {

constexpr const char* kRecipe = "version: 1\nmodifiers:\n  - quantize: {scheme: W4A16}\n";

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string yaml_error(const std::string& text) {
  return error_of([&] { parse_yaml(text, "t.yaml"); });
}

TEST(YamlDocument, ByteOrderMarkAndLineEndsDoNotMatter) {
  const std::string expected = parse(kRecipe).resolved();
  EXPECT_EQ(parse(std::string("\xEF\xBB\xBF") + kRecipe).resolved(), expected);
  EXPECT_EQ(parse(replace_all(kRecipe, "\n", "\r\n")).resolved(), expected);
  EXPECT_EQ(parse(std::string("%YAML 1.2\n---\n") + kRecipe + "...\n").resolved(), expected);
  EXPECT_EQ(yaml_error("\xEF\xBB\xBF"
                       "a: [\r\n"),
            "2 t.yaml:1:4: the '[' that begins here is never closed");
  EXPECT_EQ(yaml_error("a: b\rc: d\n"),
            "2 t.yaml:1:5: the control character U+000D is not allowed");
}

TEST(YamlDocument, RefusesWhatIsNotUtf8) {
  for (const char* bad :
       {"\xFF", "\xC0\x80", "\xE2\x82", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}) {
    EXPECT_EQ(yaml_error(std::string("a: é") + bad), "2 t.yaml:1:5: not UTF-8");
  }
  EXPECT_EQ(yaml_error("\xFF\xFEv"), "2 t.yaml:1:1: not UTF-8");
  EXPECT_EQ(yaml_error("a: \xE2\x80\xA8"),
            "2 t.yaml:1:4: the control character U+2028 is not allowed");
  EXPECT_EQ(yaml_error("a: \"\\x85\""),
            "2 t.yaml:1:4: '\\xC2\\x85': the control character U+0085 is not allowed");
}

TEST(YamlDocument, ColumnsCountCharacters) {
  EXPECT_EQ(yaml_error("ä: {ö: 1, ö: 2}"), "2 t.yaml:1:11: duplicate key 'ö', first at t.yaml:1:5");
}

TEST(YamlDocument, QuotedScalarsAreTexts) {
  const YamlNode root = parse_yaml("a: 1\nb: '1'\nc: \"1\"\nd: |\n  1\n", "t.yaml");
  EXPECT_FALSE(root.items[0].quoted);
  EXPECT_TRUE(root.items[1].quoted);
  EXPECT_TRUE(root.items[2].quoted);
  EXPECT_TRUE(root.items[3].quoted);
  EXPECT_EQ(parse_yaml("a: ! '1'", "t.yaml").items[0].text, "1");
  EXPECT_EQ(parse_yaml("a: &x 'it''s'\nb: *x", "t.yaml").items[1].text, "it's");
  EXPECT_EQ(parse_yaml("\"a\\\"\": ''", "t.yaml").keys[0].text, "a\"");
}

TEST(YamlDocument, QuotesMustClose) {
  for (const char* open : {"'x", "\"x", "'x''", "\"x\\\"", "&a 'x", "! \"x", "'"}) {
    EXPECT_EQ(yaml_error(std::string("a: ") + open),
              "2 t.yaml:1:4: the quote that begins here is never closed")
        << open;
  }
}

TEST(YamlDocument, AliasesAreCopies) {
  YamlNode root = parse_yaml("a: &list [x, y]\nb: *list\n", "t.yaml");
  root.items[0].items[0].text = "z";
  EXPECT_EQ(root.items[1].items[0].text, "x");
  EXPECT_EQ(root.items[1].items[0].where, "t.yaml:1:11");
}

std::string repeat(const std::string& unit) {
  std::string text;
  while (text.size() < 1 << 18) {
    text += unit;
  }
  return text;
}

TEST(YamlDocument, HostileDocumentsEndInOneLine) {
  for (const char* unit : {"[",   "{",   "- ",  "? ",  "a: ",   "[a: ", "{a: ",   "\n[",  "'", "\"",
                           "&a ", "!a ", "*a ", "|\n", ">",     "%",    "@",      ":",    ",", "]",
                           "}",   "-",   "#",   "{? ", "---\n", "a:\n", "&a b: ", "? b\n"}) {
    const std::string message = yaml_error(repeat(unit));
    EXPECT_TRUE(message.find('\n') == std::string::npos && message.size() < 300) << message;
  }
}

TEST(YamlDocument, HasLimits) {
  const std::string deep = "nested more than 64 deep";
  EXPECT_EQ(yaml_error(std::string(100, '[') + std::string(100, ']')), "2 t.yaml:1:65: " + deep);
  EXPECT_THAT(yaml_error(std::string(10'000, '[')), testing::EndsWith(deep));
  EXPECT_THAT(yaml_error("[" + repeat("a,") + "]"),
              testing::StartsWith("2 t.yaml:1:200002: too large"));
  EXPECT_THAT(yaml_error("[&a " + std::string(700'000, 'x') + ", *a, *a, *a, *a]"),
              testing::StartsWith("2 t.yaml:1:700019: too large"));
}

}  // namespace
}  // namespace oneshot::recipes
