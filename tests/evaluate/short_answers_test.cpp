// Questions that the model answers itself, against what Transformers writes greedily.
#include "engine/evaluate/short_answers.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/aten_threads.h"
#include "engine/checkpoint_model.h"
#include "engine/score_questions.h"
#include "tests/support/expect_error.h"
#include "tests/support/expected_tensors.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

using Texts = std::vector<std::string>;

const std::string kLetter = "She was so very much surprised by the letter, that";

class ShortAnswers : public testing::Test {
 protected:
  std::vector<ChoiceItem> read(const std::string& rows) {
    write_file(folder.path() / "x.jsonl", rows);
    return read_choice_file(folder.path() / "x.jsonl", prompts.tokenizer(), prompts);
  }
  /// Rows with this context.
  std::vector<ChoiceItem> asked(const std::string& context) {
    return read(nlohmann::json{{"context", context}, {"answers", "x"}}.dump());
  }
  Texts written(const std::string& context, const std::vector<int32_t>& end_tokens = {}) {
    return write_answers(
        model.graph(), model.weights(), asked(context), {prompts.tokenizer(), end_tokens});
  }

  AtenThreads one{1};  // the model is small
  TemporaryFolder folder;
  CheckpointModel model{tiny_llama(), {}, false};
  PromptReader prompts{{tiny_llama(), tiny_llama(), {}}, model.config()};
};

TEST_F(ShortAnswers, AreSixteenTokensOfTransformersGreedyText) {
  EXPECT_EQ(written(kLetter), Texts{" she had been in the world, and the last, and the l"});
}

TEST_F(ShortAnswers, EndAtEndTokensAndLineBreaks) {
  EXPECT_EQ(written(kLetter, {1, 264}), Texts{" she had been in"});
  EXPECT_EQ(written("CREATE TABLE t("), Texts{")."});  // Transformers: ").\n\nThese are the first"
  EXPECT_EQ(written("He said:"), Texts{""});           // "\n\n\"I am sure I should"
}

TEST_F(ShortAnswers, TellHowFarTheyAreAndEndWhenAsked) {
  std::vector<ChoiceItem> items = asked("CREATE TABLE t(");
  items.push_back(items[0]);
  std::vector<int64_t> done;
  AnswerSetup setup{prompts.tokenizer(), {}};
  setup.progress = [&](int64_t items_done, int64_t total) {
    EXPECT_EQ(total, 2);
    done.push_back(items_done);
    return done.size() < 20;  // in the second item
  };
  expect_error(ErrorCode::Interrupted, "interrupted", [&] {
    write_answers(model.graph(), model.weights(), items, setup);
  });
  EXPECT_EQ(std::count(done.begin(), done.end(), 0), 16);
  EXPECT_EQ(std::count(done.begin(), done.end(), 1), 4);
}

TEST_F(ShortAnswers, SeeTheImagesOfTheirQuestion) {
  CheckpointModel llava(test_model("llava_hf"), {}, false);
  const Expected reference(test_model("llava_hf") / "expected.safetensors");
  const at::Tensor ids = reference["in.input_ids"][0];
  const int64_t likeliest = reference["out.logits"][0][-1].argmax().item<int64_t>();
  ChoiceItem item;
  item.images = {"a.png"};
  for (int64_t i = 0; i < ids.size(0); ++i) {
    item.context.push_back(ids[i].item<int32_t>());
  }
  AnswerSetup setup{prompts.tokenizer(), {static_cast<int32_t>(likeliest)}};
  std::vector<std::filesystem::path> loaded;
  setup.load = [&](std::span<const std::filesystem::path> files) {
    loaded.assign(files.begin(), files.end());
    return ImageInput{{"pixel_values", reference["in.pixel_values"]}};
  };
  // The first token is the reference's, and ends the answer.
  EXPECT_EQ(write_answers(llava.graph(), llava.weights(), {&item, 1}, setup), Texts{""});
  EXPECT_EQ(loaded, item.images);
}

/// The model writes " she had been in the world, and the last, and the l" behind "… letter, that",
/// and ")." behind "TABLE t(", which is likelier there than the other choice.
const std::string kMixed =
    R"({"context": ")" + kLetter +
    R"(", "answers": "She had been in the World and the last and L.",)"
    R"( "category": "novel"}
{"context": "CREATE TABLE t(", "choices": [").", " Emma, and"], "answer": 0, "category": "sql"}
{"context": ")" +
    kLetter +
    R"(", "answers": ["she had been in world and last and l", "1", "2", "3",)"
    R"( "4", "5", "she had been in the world, and the last, and the l!", "6", "7", "8"]}
{"context": ")" +
    kLetter + R"(", "answers": ["she had been", "world"], "category": "novel"}
{"context": "CREATE TABLE t(", "choices": [").", " Emma, and"], "answer": 1, "category": "sql"}
)";

TEST_F(ShortAnswers, CountBesideChoices) {
  const std::vector<ChoiceItem> items = read(kMixed);
  ASSERT_EQ(items.size(), 5U);
  EXPECT_TRUE(items[1].has_choices());
  EXPECT_EQ(items[2].answers.size(), 10U);
  const ChoicesResult result = score_questions(model, items, {prompts}, {.threads = 2});
  EXPECT_EQ(result.all.items, 5);
  EXPECT_DOUBLE_EQ(result.all.right, 1 + 1 + 0.6 + 0 + 0);
  EXPECT_DOUBLE_EQ(result.all.accuracy(), 2.6 / 5);
  EXPECT_EQ(result.log_likelihoods.size(), 2U);
  for (const char* category : {"novel", "sql"}) {
    EXPECT_EQ(result.by_category.at(category).items, 2);
    EXPECT_EQ(result.by_category.at(category).right, 1);
  }
  const ChoicesResult alone = score_questions(model, {items.data(), 1}, {prompts}, {});
  EXPECT_EQ(alone.all.right_normalized, 1);
  EXPECT_TRUE(alone.log_likelihoods.empty());
}

TEST_F(ShortAnswers, SamplesAreTakenOfBothKinds) {
  const ChoicesResult result = score_questions(model, read(kMixed), {prompts, 3}, {});
  EXPECT_EQ(result.all.items, 3);  // those numbered 0, 1 and 3
  EXPECT_EQ(result.all.right, 1 + 1 + 0);
  EXPECT_EQ(result.log_likelihoods.size(), 1U);
}

TEST_F(ShortAnswers, RefuseWhatTheModelCannotRead) {
  std::vector<ChoiceItem> items = read(kMixed);
  items[3].context.assign(600, 5);
  expect_error(
      ErrorCode::Checkpoint,
      items[3].where + ": the context has 600 tokens, more than the 512 that the model can read",
      [&] { score_questions(model, items, {prompts}, {}); });
  const std::string message = error_message(ErrorCode::Resource, [&] {
    score_questions(model, asked(kLetter), {prompts, 0, 1000}, {});
  });
  EXPECT_TRUE(message.starts_with("--memory 1000: generating needs ")) << message;
}

}  // namespace
}  // namespace oneshot
