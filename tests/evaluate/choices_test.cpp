// Multiple choice, against log-likelihoods by Transformers (tests/data/evaluate); damaged rows.
#include "engine/evaluate/choices.h"

#include <gtest/gtest.h>

#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint_model.h"
#include "engine/prompt_reader.h"
#include "tests/support/expect_error.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

const std::filesystem::path kChoices = ONESHOT_TEST_DATA "/evaluate/choices.jsonl";

Tokenizer tokenizer() {
  return Tokenizer::from_folder(tiny_llama());
}

std::vector<ChoiceItem> read_items(const std::filesystem::path& file) {
  const nlohmann::json config = read_json_object(tiny_llama() / "config.json");
  return read_choice_file(
      file, tokenizer(), PromptReader({tiny_llama(), tiny_llama(), {}}, config));
}

class Choices : public testing::Test {
 protected:
  ChoicesResult score(int64_t samples = 0, const EvaluationResources& resources = {}) {
    return score_choices(model.graph(), model.weights(), evenly_spaced(items, samples), resources);
  }

  CheckpointModel model{tiny_llama(), {}, false};
  std::vector<ChoiceItem> items = read_items(kChoices);
  nlohmann::json expected =
      read_json_object(ONESHOT_TEST_DATA "/evaluate/expected.json")["choices"];
};

TEST_F(Choices, LogLikelihoodsAreThoseOfTransformers) {
  const ChoicesResult result = score();
  ASSERT_EQ(result.log_likelihoods.size(), 50U);
  for (size_t i = 0; i < 50; ++i) {
    for (size_t choice = 0; choice < 4; ++choice) {
      EXPECT_NEAR(result.log_likelihoods[i][choice],
                  expected["log_likelihoods"][i][choice].get<double>(),
                  1e-3);
    }
  }
  EXPECT_EQ(result.all.items, 50);
  EXPECT_EQ(result.all.right, expected["right"]);
  EXPECT_EQ(result.all.right_normalized, expected["right_normalized"]);
  EXPECT_EQ(result.by_category.size(), expected["by_category"].size());
  for (const auto& [category, count] : result.by_category) {
    EXPECT_EQ(count.items, expected["by_category"][category]["items"]) << category;
    EXPECT_EQ(count.right, expected["by_category"][category]["right"]) << category;
  }
}

TEST_F(Choices, SamplesAreEvenlySpaced) {
  const ChoicesResult all = score();
  const ChoicesResult some = score(20);
  ASSERT_EQ(some.log_likelihoods.size(), 20U);
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(some.log_likelihoods[i], all.log_likelihoods[i * 50 / 20]);
  }
}

TEST_F(Choices, AreTheSameForAnyThreadsAndMemory) {
  const ChoicesResult all = score();
  EXPECT_EQ(score(0, {.threads = 3}).log_likelihoods, all.log_likelihoods);
  EXPECT_EQ(score(0, {.threads = 2, .tokens_at_once = 1}).log_likelihoods, all.log_likelihoods);
}

TEST_F(Choices, RefuseWhatTheModelCannotRead) {
  items[3].context.assign(600, 5);
  const std::string message = error_message(ErrorCode::Checkpoint, [&] { score(); });
  EXPECT_TRUE(message.starts_with(items[3].where + ": context and choice have 6")) << message;
  EXPECT_TRUE(message.ends_with("more than the 512 that the model can read")) << message;
}

TEST(ChoiceFile, TokenizesContextAndChoicesApart) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "x.jsonl";
  write_file(file,
             "{\"context\": \"She was\", \"choices\": [\" surprised\", \" né\"], \"answer\": 1}\n"
             "\n"
             "{\"context\": \"A\", \"choices\": [\"b\", \"c\", \"d\"], \"answer\": 2, "
             "\"category\": \"letters\", \"source\": 7, \"image\": null}");
  const std::vector<ChoiceItem> items = read_items(file);
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].context, tokenizer().encode("She was", true));
  EXPECT_EQ(items[0].choices[0], tokenizer().encode(" surprised", false));
  EXPECT_EQ(items[0].characters, (std::vector<int64_t>{10, 3}));
  EXPECT_EQ(items[0].answer, 1U);
  EXPECT_EQ(items[0].category, "");
  EXPECT_EQ(items[1].category, "letters");
  EXPECT_EQ(items[1].where, file.string() + ":3");
}

struct DamagedRow {
  const char* row;
  const char* message;
};

TEST(ChoiceFile, NamesTheLineOfADamagedRow) {
  const DamagedRow rows[] = {
      {"{",
       R"(no JSON object; a row is {"context": …, "choices": […], "answer": 0} or )"
       R"({"context": …, "answers": […]})"},
      {R"({"choices": ["a", "b"], "answer": 0})", "'context' is missing"},
      {R"({"context": 1, "choices": ["a", "b"], "answer": 0})",
       "'context' must be a text, found 1"},
      {R"({"context": "", "choices": ["a", "b"], "answer": 0})", "the context has no tokens"},
      {R"({"context": "x", "choices": ["a"], "answer": 0})",
       "'choices' must be a list of two texts or more"},
      {R"({"context": "x", "choices": ["a", 2], "answer": 0})", "a choice must be a text, found 2"},
      {R"({"context": "x", "choices": ["a", ""], "answer": 0})", "the choice '' has no tokens"},
      {R"({"context": "x", "choices": ["a", "b"]})", "'answer' is missing"},
      {R"({"context": "x", "choices": ["a", "b"], "answer": 2})",
       "'answer' must be the index of a choice, 0 to 1, found 2"},
      {R"({"context": "x", "choices": ["a", "b"], "answer": "b"})",
       "'answer' must be the index of a choice, 0 to 1, found \"b\""},
      {R"({"context": "x", "choices": ["a", "b"], "answer": 0, "category": 3})",
       "'category' must be a text, found 3"},
      {R"({"context": "x", "choices": ["a", "b"], "answer": 0, "answers": ["a"]})",
       "has 'choices' and 'answers'; write one of them"},
      {R"({"context": "x", "answers": null})",
       "has neither 'choices' nor 'answers'; write one of them"},
      {R"({"context": "x", "answers": []})",
       "'answers' must be a text or a list of one text or more, found []"},
      {R"({"context": "x", "answers": 5})", "'answers' must be a text, found 5"},
      {R"({"context": "x", "answers": ["a", 5]})", "an answer must be a text, found 5"}};
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "x.jsonl";
  for (const DamagedRow& damaged : rows) {
    write_file(file, std::string("\n") + damaged.row + "\n");
    expect_error(
        ErrorCode::Checkpoint, file.string() + ":2: " + damaged.message, [&] { read_items(file); });
  }
}

TEST(ChoiceFile, RefusesImagesWhereTheModelReadsNoneAndFilesWithoutRows) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "x.jsonl";
  write_file(file, R"({"context": "x", "choices": ["a", "b"], "answer": 0, "image": "a.png"})");
  expect_error(ErrorCode::Unsupported,
               file.string() + ":1: config.json: this model reads texts, no images",
               [&] { read_items(file); });
  write_file(file, "\n");
  expect_error(ErrorCode::Checkpoint, file.string() + ": has no rows", [&] { read_items(file); });
}

}  // namespace
}  // namespace oneshot
