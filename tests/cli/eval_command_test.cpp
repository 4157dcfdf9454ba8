// oneshot eval from outside.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/support/process.h"

namespace oneshot {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class EvalCommand : public testing::Test {
 protected:
  ProcessResult run(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"eval", kModel};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_oneshot(folder, arguments);
  }

  static inline const std::string kModel = ONESHOT_EXAMPLE_MODELS "/tiny-llama";
  static inline const std::string kText = ONESHOT_SOURCES "/examples/data/heldout.txt";
  static inline const std::string kChoices = ONESHOT_TEST_DATA "/evaluate/choices.jsonl";

  TemporaryFolder folder;
};

TEST_F(EvalCommand, MeasuresTextAndChoicesTogether) {
  const ProcessResult result =
      run({"--text", kText, "--choices", kChoices, "--samples", "10", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(result.error, "");
  const json found = json::parse(result.out);
  EXPECT_EQ(found["windows"], 10);
  EXPECT_EQ(found["tokens"], 10 * 511);
  EXPECT_EQ(found["items"], 10);
  EXPECT_TRUE(found["accuracy"].is_number());
  EXPECT_TRUE(found["accuracy_normalized"].is_number());
  EXPECT_TRUE(found["by_category"]["kjv"]["accuracy"].is_number());
  EXPECT_FALSE(found.contains("kl"));
}

TEST_F(EvalCommand, PrintsTheAccuracyByCategory) {
  // 17 of 50, and 19 by the character: by Transformers, see tests/data/evaluate.
  const ProcessResult result = run({"--choices", kChoices});
  EXPECT_THAT(result.out,
              HasSubstr("accuracy    34.00 % of 50 items (38.00 % by the character)\n"));
  EXPECT_THAT(result.out, HasSubstr("25.00 % of 12 items ("));
  EXPECT_THAT(result.out, HasSubstr("): kjv\n"));
}

TEST_F(EvalCommand, ScoresShortAnswers) {
  // Greedily by Transformers: " she had been in the world, and the last, and the l".
  const std::string context =
      R"({"context": "She was so very much surprised by the letter, that", "category": "novel",)";
  write_file(folder.path() / "x.jsonl",
             context +
                 R"( "answers": ["She had been in a world and the last and the L."]})"
                 "\n" +
                 context + R"( "answers": "that she had been in the world"})");
  const ProcessResult table = run({"--choices", "x.jsonl"});
  EXPECT_THAT(table.out, HasSubstr("accuracy    50.00 % of 2 items (50.00 % by the character)\n"));
  const json found = json::parse(run({"--choices", "x.jsonl", "--json"}).out);
  EXPECT_EQ(found["accuracy"], 0.5);
  EXPECT_EQ(found["by_category"]["novel"]["accuracy_normalized"], 0.5);
}

TEST_F(EvalCommand, ComparesWithAnotherCheckpoint) {
  const std::vector<std::string> arguments{
      "--text", kText, "--against", kModel, "--samples", "2", "--sequence-length", "64"};
  const ProcessResult table = run(arguments);
  EXPECT_THAT(table.out, HasSubstr("KL 0.000000 per token, the same likeliest token 100.00 %\n"));
  EXPECT_THAT(table.out, HasSubstr("block  output error\n    0     0.000e+00\n"));
  std::vector<std::string> with_json = arguments;
  with_json.emplace_back("--json");
  const json found = json::parse(run(with_json).out);
  EXPECT_EQ(found["kl"], 0.0);
  EXPECT_EQ(found["top1_agreement"], 1.0);
  EXPECT_EQ(found["block_error"], json({0.0, 0.0}));
  EXPECT_EQ(found["windows"], 2);
}

TEST_F(EvalCommand, MemoryChangesNoFigure) {
  const std::vector<std::string> arguments{
      "--text", kText, "--samples", "16", "--json", "--threads", "1"};
  std::vector<std::string> bounded = arguments;
  bounded.insert(bounded.end(), {"--memory", "300MiB"});
  const json free = json::parse(run(arguments).out);
  const json found = json::parse(run(bounded).out);
  EXPECT_EQ(found["perplexity"], free["perplexity"]);
}

TEST_F(EvalCommand, StaysBelowTheMemoryThatIsGiven) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's shadow and the freed memory it holds back count as ours";
#endif
  const json found = json::parse(
      run({"--text", kText, "--samples", "16", "--json", "--threads", "1", "--memory", "300MiB"})
          .out);
  EXPECT_LE(found["peak_memory_bytes"], 300 << 20);
}

TEST_F(EvalCommand, SaysWhatIsWrong) {
  EXPECT_EQ(run({}).exit_code, 2);
  EXPECT_EQ(run({"--choices", kChoices, "--against", kModel}).exit_code, 2);
  EXPECT_EQ(run({"--text", "nowhere.txt"}).exit_code, 3);
  EXPECT_EQ(run({"--text", "nowhere.txt"}).error,
            "--text nowhere.txt: cannot be read; is the path right?\n");
  EXPECT_EQ(run({"--choices", kText}).exit_code, 3);
  const ProcessResult small = run({"--text", kText, "--memory", "10MiB"});
  EXPECT_EQ(small.exit_code, 5);
  EXPECT_THAT(small.error, testing::StartsWith("--memory 10485760: evaluating needs "));
}

}  // namespace
}  // namespace oneshot
