// Rules of encoding and decoding, each on a tokenizer of a few tokens.
#include "engine/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/text/small_tokenizer.h"

namespace oneshot {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<int32_t>;

TEST(Tokenizer, MergesByRankAndKnowsItsTokens) {
  const Tokenizer tokenizer = read(small_tokenizer());
  EXPECT_EQ(tokenizer.encode("abcab", false), (Ids{4, 3}));
  EXPECT_EQ(tokenizer.encode("cab<s>b", false), (Ids{2, 3, 5, 1}));
  EXPECT_EQ(tokenizer.vocabulary_size(), 6);
  EXPECT_EQ(tokenizer.id_of("abc"), 4);
  EXPECT_EQ(tokenizer.id_of("<s>"), 5);
  EXPECT_EQ(tokenizer.id_of("x"), std::nullopt);
  EXPECT_EQ(tokenizer.token_of(3), "ab");
  EXPECT_EQ(tokenizer.token_of(99), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(5));
  EXPECT_FALSE(tokenizer.is_special(4));
}

TEST(Tokenizer, DropsCharactersThatAreNoToken) {
  EXPECT_EQ(read(small_tokenizer()).encode("axb", false), (Ids{3}));
}

TEST(Tokenizer, ReadsMergesInBothSpellings) {
  EXPECT_EQ(read(with("/model/merges", {"#version: 0.2", "a b", "ab c"})).encode("abcab", false),
            (Ids{4, 3}));
}

TEST(Tokenizer, ReadsFilesWithoutModelType) {
  Json json = small_tokenizer();
  json["model"].erase("type");
  EXPECT_EQ(read(json).encode("ab", false), (Ids{3}));
}

TEST(Tokenizer, TakesAWholeWordOnlyWithIgnoreMerges) {
  Json json = with("/model/vocab/cab", 6);
  EXPECT_EQ(read(json).encode("cab", false), (Ids{2, 3}));
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(read(json).encode("cab", false), (Ids{6}));
}

TEST(Tokenizer, IgnoresIdsWithoutTokenWhenDecoding) {
  const Tokenizer tokenizer = read(small_tokenizer());
  EXPECT_EQ(tokenizer.decode(Ids{4, 99, -1, 5, 0}, false), "abc<s>a");
  EXPECT_EQ(tokenizer.decode(Ids{4, 99, -1, 5, 0}, true), "abca");
  EXPECT_EQ(tokenizer.decode(Ids{}, false), "");
}

TEST(Tokenizer, PutsSpacesBetweenTokensWithoutADecoder) {
  EXPECT_EQ(read(with("/decoder", nullptr)).decode(Ids{4, 0}, false), "abc a");
}

TEST(Tokenizer, NumbersNewAddedTokensOnFromTheVocabulary) {
  Json json = small_tokenizer();
  json["added_tokens"].push_back({{"id", 77}, {"content", "<new>"}, {"special", true}});
  json["added_tokens"].push_back({{"id", 1}, {"content", "b"}, {"special", true}});
  const Tokenizer tokenizer = read(json);
  EXPECT_EQ(tokenizer.encode("<new>b", false), (Ids{6, 1}));
  EXPECT_EQ(tokenizer.vocabulary_size(), 7);
}

TEST(Tokenizer, PutsTemplateTokensAroundTheTextOnRequest) {
  const Json json = with("/post_processor", Json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "end", "type_id": 0}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]},
                         "end": {"id": "end", "ids": [1, 2], "tokens": ["b", "c"]}}})"));
  EXPECT_EQ(read(json).encode("a", true), (Ids{5, 0, 1, 2}));
  EXPECT_EQ(read(json).encode("", true), (Ids{5, 1, 2}));
  EXPECT_EQ(read(json).encode("a", false), (Ids{0}));
}

TEST(Tokenizer, DecodesByteTokensOneReplacementPerWrongByte) {
  Json json = with("/decoder", Json::parse(R"({"type": "Sequence", "decoders": [
      {"type": "ByteFallback"}, {"type": "Fuse"}]})"));
  json["model"]["vocab"]["<0xC3>"] = 5;  // <s> becomes 7
  json["model"]["vocab"]["<0xA9>"] = 6;
  const Tokenizer tokenizer = read(json);
  EXPECT_EQ(tokenizer.decode(Ids{5, 6, 0}, false), "éa");
  EXPECT_EQ(tokenizer.decode(Ids{6, 5, 0, 5}, false), "\uFFFD\uFFFDa\uFFFD");
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  const Tokenizer tokenizer = read(small_tokenizer());
  for (const char* text :
       {"ab\xFF", "ab\xC0\x80", "ab\xED\xA0\x80", "ab\xE2\x82", "ab\xF5\x80\x80\x80"}) {
    expect_error(ErrorCode::Checkpoint, "the text to tokenize is not valid UTF-8 at byte 2", [&] {
      tokenizer.encode(text, false);
    });
  }
}

TEST(Tokenizer, ReadsEscapesOfRegularExpressionsAsOnigurumaDoes) {
  Json split = Json::parse(R"({"type": "Split", "behavior": "Removed", "invert": false,
                               "pattern": {"Regex": "\\s|[^\\w\\s]"}})");
  // U+180E is no white space, U+0301 is a word character: both stay, so that nothing merges.
  Json json = with("/pre_tokenizer", split);
  EXPECT_EQ(read(json).encode("a b", false), (Ids{0, 1}));
  EXPECT_EQ(read(json).encode("a\u180Eb", false), (Ids{0, 1}));  // removed: no word character
  EXPECT_EQ(read(json).encode("a\u0301b", false), (Ids{3}));     // dropped by the model
  split["pattern"]["Regex"] = "\\s";
  EXPECT_EQ(read(with("/pre_tokenizer", split)).encode("a\u180Eb", false), (Ids{3}));
}

}  // namespace
}  // namespace oneshot
