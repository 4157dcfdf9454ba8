// Special tokens by name, a tokenizer that fits, and texts cut to a length.
#include "engine/text/special_tokens.h"

#include <gtest/gtest.h>

#include "engine/text/vocabulary_fit.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"
#include "tests/text/small_tokenizer.h"

namespace oneshot {
namespace {

using Ids = std::vector<int32_t>;

TEST(SpecialTokens, AreTextsOrObjects) {
  const TemporaryFolder folder;
  EXPECT_EQ(special_tokens(folder.path()).dump(), "{}");
  write_file(folder.path() / "tokenizer_config.json",
             R"({"eos_token": {"content": "</s>", "lstrip": false}, "bos_token": "<s>",
                 "pad_token": null, "add_bos_token": true})");
  EXPECT_EQ(special_tokens(folder.path()).dump(), R"({"bos_token":"<s>","eos_token":"</s>"})");
  write_file(folder.path() / "special_tokens_map.json",
             R"({"bos_token": "<other>", "pad_token": {"content": "<pad>"}})");
  EXPECT_EQ(special_tokens(folder.path()).dump(),
            R"({"bos_token":"<s>","eos_token":"</s>","pad_token":"<pad>"})");
}

TEST(SpecialTokens, ThatAreNoneAreNamed) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "tokenizer_config.json";
  write_file(file, R"({"bos_token": 1})");
  expect_error(ErrorCode::Checkpoint,
               file.string() + ": 'bos_token' holds JSON number, expected a string",
               [&] { special_tokens(folder.path()); });
  write_file(file, R"({"bos_token": {"lstrip": false}})");
  expect_error(ErrorCode::Checkpoint, file.string() + ": bos_token: has no 'content'", [&] {
    special_tokens(folder.path());
  });
}

TEST(Tokenizer, CutsATextAsTheLibraryTruncatesIt) {
  // Ids of the library `tokenizers` 0.23.3 with enable_truncation().
  const std::string file = ONESHOT_TEST_DATA "/text/tokenizer/llama2.json";
  const Tokenizer tokenizer = Tokenizer::from_json(nlohmann::json::parse(read_file(file)), file);
  const std::string text = "Hello, world! It's 12345678 o'clock.";
  EXPECT_EQ(tokenizer.encode_first(text, true, 1), (Ids{1}));
  EXPECT_EQ(tokenizer.encode_first(text, true, 3), (Ids{1, 588, 561}));
  EXPECT_EQ(tokenizer.encode_first(text, true, 6), (Ids{1, 588, 561, 305, 533, 333}));
  EXPECT_EQ(tokenizer.encode_first(text, false, 3), (Ids{588, 561, 305}));
  EXPECT_EQ(tokenizer.encode_first(text, false, 6), (Ids{588, 561, 305, 533, 333, 302}));
  EXPECT_EQ(tokenizer.encode_first(text, true, 100), tokenizer.encode(text, true));
}

TEST(Tokenizer, CutsTheSameWhereverPiecesEnd) {
  for (const char* name : {"llama3", "digits", "flags"}) {
    const std::string file = ONESHOT_TEST_DATA "/text/tokenizer/" + std::string(name) + ".json";
    const Tokenizer tokenizer = Tokenizer::from_json(nlohmann::json::parse(read_file(file)), file);
    const std::string text = "<s>It's  12345 <norm>x<image>\nhi <left> a <word> b, 678 o'clock</s>";
    const Ids all = tokenizer.encode(text, false);
    for (size_t length = 0; length <= all.size(); ++length) {
      EXPECT_EQ(tokenizer.encode_first(text, false, static_cast<int64_t>(length)),
                Ids(all.begin(), all.begin() + static_cast<ptrdiff_t>(length)))
          << name;
    }
  }
}

TEST(VocabularyFit, AllowsAnEmbeddingThatIsPadded) {
  const Tokenizer tokenizer = read(small_tokenizer());  // 6 tokens
  check_fits(tokenizer, "model", 6);
  check_fits(tokenizer, "model", 64);
  expect_error(
      ErrorCode::Checkpoint,
      "model: the tokenizer has 6 tokens, the model's embedding 5 rows: they do not belong "
      "together; use the tokenizer of this model",
      [&] { check_fits(tokenizer, "model", 5); });
}

}  // namespace
}  // namespace oneshot
