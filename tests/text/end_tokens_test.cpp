// Which tokens end a text, as the configs of a checkpoint say.
#include "engine/text/end_tokens.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"
#include "tests/text/small_tokenizer.h"

namespace oneshot {
namespace {

class EndTokens : public testing::Test {
 protected:
  std::vector<int32_t> ends(const nlohmann::json& config) const {
    return end_tokens({folder.path(), &config, folder.path()}, read(small_tokenizer()));
  }

  TemporaryFolder folder;
};

TEST_F(EndTokens, ComeFromTheFirstFileThatNamesSome) {
  EXPECT_EQ(ends(nlohmann::json::object()), std::vector<int32_t>{});
  write_file(folder.path() / "tokenizer_config.json", R"({"eos_token": {"content": "<s>"}})");
  EXPECT_EQ(ends({{"eos_token_id", nullptr}}), std::vector<int32_t>{5});
  EXPECT_EQ(ends({{"text_config", {{"eos_token_id", 4}}}}), std::vector<int32_t>{4});
  EXPECT_EQ(ends({{"eos_token_id", 3}}), std::vector<int32_t>{3});
  write_file(folder.path() / "generation_config.json", R"({"eos_token_id": [1, 2]})");
  EXPECT_EQ(ends({{"eos_token_id", 3}}), (std::vector<int32_t>{1, 2}));
}

TEST_F(EndTokens, OfAnotherTypeAreDamage) {
  expect_error(ErrorCode::Checkpoint,
               "config.json: eos_token_id must be a token id or a list of them, found \"x\"",
               [&] {
                 ends({{"eos_token_id", "x"}});
               });
}

}  // namespace
}  // namespace oneshot
