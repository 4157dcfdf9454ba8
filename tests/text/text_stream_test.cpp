// Text that comes token by token, in whole characters.
#include "engine/text/text_stream.h"

#include <gtest/gtest.h>

#include "tests/text/small_tokenizer.h"

namespace oneshot {
namespace {

/// Letters, and the four bytes of U+1F44D, each a token.
Tokenizer byte_tokens() {
  nlohmann::json json = small_tokenizer();
  json["model"]["vocab"] = {{"a", 0}, {"<0xF0>", 1}, {"<0x9F>", 2}, {"<0x91>", 3}, {"<0x8D>", 4}};
  json["model"]["merges"] = nlohmann::json::array();
  json["decoder"] = {{"type", "Sequence"},
                     {"decoders", {{{"type", "ByteFallback"}}, {{"type", "Fuse"}}}}};
  return read(json);
}

TEST(TextStream, HoldsBackACharacterUntilItIsComplete) {
  TextStream stream(byte_tokens());
  EXPECT_EQ(stream.add(0), "a");
  EXPECT_EQ(stream.add(1), "");
  EXPECT_EQ(stream.add(2), "");
  EXPECT_EQ(stream.add(3), "");
  EXPECT_EQ(stream.add(4), "\xF0\x9F\x91\x8D");
  EXPECT_EQ(stream.add(0), "a");
  EXPECT_EQ(stream.finish(), "");
  EXPECT_EQ(stream.text(),
            "a\xF0\x9F\x91\x8D"
            "a");
}

TEST(TextStream, SaysInTheEndWhatWasNeverCompleted) {
  TextStream stream(byte_tokens());
  EXPECT_EQ(stream.add(0), "a");
  EXPECT_EQ(stream.add(1), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(TextStream, LeavesSpecialTokensOut) {
  TextStream stream(read(small_tokenizer()));
  EXPECT_EQ(stream.add(4), "abc");
  EXPECT_EQ(stream.add(5), "");
  EXPECT_EQ(stream.add(1), "b");
}

}  // namespace
}  // namespace oneshot
