// `evaluation:` of a recipe: before and after, and the gate between them.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "engine/error.h"
#include "tests/support/expect_error.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

const std::string kText = ONESHOT_EXAMPLE_DATA "/heldout.txt";
const std::string kChoices = ONESHOT_TEST_DATA "/evaluate/choices.jsonl";

std::string recipe(const std::string& scheme, const std::string& evaluation) {
  return quantize_recipe("scheme: " + scheme + ", ignore: [lm_head]") + "evaluation: {" +
         evaluation + "}\n";
}

TEST(Evaluation, IsInTheReport) {
  const TemporaryFolder folder;
  const std::string evaluation = "text: " + kText + ", choices: " + kChoices +
                                 ", generate: \"She was so very much surprised by the letter, "
                                 "that\", samples: 64, sequence_length: 256, "
                                 "max_perplexity_ratio: 1.05";
  const Report report = run_recipe(folder, {.recipe = recipe("W4A16", evaluation)});
  const nlohmann::json written =
      nlohmann::json::parse(read_file(folder.path() / "out/report.json"))["evaluation"];
  EXPECT_EQ(written, *report.evaluation);
  // As Transformers measures source and output, see tests/evaluate and tests/data/evaluate.
  EXPECT_NEAR(written["before"]["perplexity"].get<double>(), 29.1134, 1e-3);
  EXPECT_NEAR(written["after"]["perplexity"].get<double>(), 29.29299, 1e-3);
  EXPECT_NEAR(written["perplexity_ratio"].get<double>(), 29.29299 / 29.1134, 1e-4);
  EXPECT_EQ(written["before"]["accuracy"], 17.0 / 50);
  EXPECT_EQ(written["before"]["accuracy_normalized"], 19.0 / 50);
  EXPECT_EQ(written["after"]["items"], 50);
  EXPECT_THAT(written["before"]["generated"].get<std::string>(),
              testing::StartsWith(" she had been in the world, and the last, and the last of the "
                                  "carriage, and the last of the carriage"));
  EXPECT_NE(written["after"]["generated"], "");
}

TEST(Evaluation, AsksForShortAnswers) {
  const TemporaryFolder folder;
  // Greedily by Transformers, of the source: " she had been in the world, and the last, and the l".
  write_file(folder.path() / "x.jsonl",
             R"({"context": "She was so very much surprised by the letter, that", )"
             R"("answers": "she had been in the world and the last and the l"})");
  const Report report = run_recipe(folder, {.recipe = recipe("W8A16", "choices: x.jsonl")});
  EXPECT_EQ((*report.evaluation)["before"]["accuracy"], 1);
  EXPECT_EQ((*report.evaluation)["before"]["items"], 1);
  EXPECT_EQ((*report.evaluation)["after"]["items"], 1);
}

TEST(Evaluation, AbsentLeavesNothing) {
  const TemporaryFolder folder;
  EXPECT_TRUE(run_recipe(folder, {.recipe = quantize_recipe("scheme: W4A16")}).evaluation ==
              nullptr);
}

TEST(Evaluation, WhatBecomesTooBadIsNotKept) {
  const TemporaryFolder folder;
  const std::string evaluation =
      "text: " + kText + ", samples: 8, sequence_length: 64, max_perplexity_ratio: 1.05";
  const std::string message = error_message(
      ErrorCode::Failed, [&] { run_recipe(folder, {.recipe = recipe("W2A16", evaluation)}); });
  EXPECT_THAT(message,
              testing::HasSubstr("recipe.yaml:4:1: evaluation: the perplexity went from "));
  EXPECT_THAT(message,
              testing::EndsWith(", and max_perplexity_ratio is 1.05; no output was written"));
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
  EXPECT_FALSE(fs::exists(folder.path() / ".out.oneshot"));
}

/// Counts how far a run comes.
class PhaseListener : public RunListener {
 public:
  void on_progress(const Progress& progress) override { phases.insert(progress.phase); }
  std::set<std::string> phases;
};

TEST(Evaluation, WhatCannotBeMeasuredEndsTheRunBeforeWeightsAreWritten) {
  const TemporaryFolder folder;
  PhaseListener listener;
  const std::string text = error_message(ErrorCode::Checkpoint, [&] {
    run_recipe(folder, {.recipe = recipe("W4A16", "text: nowhere.txt")}, &listener);
  });
  EXPECT_EQ(
      text,
      "text " + (folder.path() / "nowhere.txt").string() + ": cannot be read; is the path right?");
  const fs::path unknown = folder.path() / "unknown";
  fs::copy(test_model("llama"), unknown);
  nlohmann::json config = nlohmann::json::parse(read_file(unknown / "config.json"));
  config["model_type"] = "mamba";
  write_file(unknown / "config.json", config.dump());
  const std::string family = error_message(ErrorCode::Unsupported, [&] {
    run_recipe(folder,
               {.recipe = quantize_recipe("scheme: W8A16, group_size: 16") +
                          "evaluation: {text: " + kText + "}\n",
                .model = unknown},
               &listener);
  });
  EXPECT_THAT(family,
              testing::HasSubstr("recipe.yaml:4:1: evaluation: config.json: models of type "
                                 "'mamba' cannot be run, only llama"));
  EXPECT_TRUE(listener.phases.empty());
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
}

}  // namespace
}  // namespace oneshot
