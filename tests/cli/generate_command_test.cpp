// oneshot generate from outside.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "tests/support/process.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class GenerateCommand : public testing::Test {
 protected:
  ProcessResult run(const std::vector<std::string>& more, const std::string& model = kModel) const {
    std::vector<std::string> arguments{"generate", model, "--prompt", kPrompt};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_oneshot(folder, arguments);
  }

  /// Fails with this code and one line on standard error.
  void expect_failure(const std::vector<std::string>& more, int code, const std::string& line) {
    const ProcessResult result = run(more);
    EXPECT_EQ(result.exit_code, code);
    EXPECT_EQ(result.error, line + "\n");
    EXPECT_EQ(result.out, "");
  }

  static inline const std::string kModel = ONESHOT_EXAMPLE_MODELS "/tiny-llama";
  static inline const std::string kPrompt = "She was so very much surprised by the letter, that";
  // By Transformers, see tests/data/evaluate.
  static inline const std::string kText =
      " she had been in the world, and the last, and the last of the carriage, and the last of the "
      "carriage";

  TemporaryFolder folder;
};

TEST_F(GenerateCommand, PrintsTheTextAndNothingElse) {
  const ProcessResult result = run({"--max-tokens", "32"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, kText + "\n");
  EXPECT_EQ(result.error, "");
}

TEST_F(GenerateCommand, JsonIsOneObject) {
  const json result = json::parse(run({"--max-tokens", "32", "--json"}).out);
  EXPECT_EQ(result["prompt"], kPrompt);
  EXPECT_EQ(result["text"], kText);
  EXPECT_EQ(result["prompt_tokens"], 18);
  EXPECT_EQ(result["tokens"], 32);
  EXPECT_EQ(result["stopped_by"], "max_tokens");
  EXPECT_GT(result["seconds"], 0);
  EXPECT_GT(result["tokens_per_second"], 0);
}

TEST_F(GenerateCommand, TheTextDoesNotDependOnThreadsOrMemory) {
  EXPECT_EQ(run({"--max-tokens", "32", "--threads", "1"}).out, kText + "\n");
  EXPECT_EQ(run({"--max-tokens", "32", "--threads", "3"}).out, kText + "\n");
  const std::string refusal = run({"--max-tokens", "32", "--memory", "1MiB"}).error;
  std::smatch needed;  // so much leaves no room for weights that stay
  ASSERT_TRUE(std::regex_search(refusal, needed, std::regex("needs ([0-9]+) bytes"))) << refusal;
  EXPECT_EQ(run({"--max-tokens", "32", "--memory", needed[1].str()}).out, kText + "\n");
  const std::vector<std::string> drawn{"--temperature", "1", "--seed", "3", "--threads"};
  const auto with = [&](const char* threads) {
    std::vector<std::string> all = drawn;
    all.emplace_back(threads);
    return run(all).out;
  };
  EXPECT_EQ(with("1"), with("2"));
  EXPECT_NE(with("1"), run({}).out);
}

TEST_F(GenerateCommand, ChatWrapsThePrompt) {
  expect_failure(
      {"--chat"},
      3,
      kModel + ": has no chat template; leave out --chat, or say where one is with --tokenizer");
  fs::copy(kModel, folder.path() / "model");
  write_file(folder.path() / "model/chat_template.jinja",
             "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{% endfor %}"
             "{% if add_generation_prompt %}{{ eos_token }}{% endif %}");
  const json chat = json::parse(run({"--chat", "--json"}, "model").out);
  EXPECT_EQ(chat["prompt"], kPrompt);
  const json plain = json::parse(
      run_oneshot(folder, {"generate", "model", "--prompt", "user: " + kPrompt + "<eos>", "--json"})
          .out);
  EXPECT_EQ(chat["text"], plain["text"]);
  EXPECT_EQ(chat["prompt_tokens"], plain["prompt_tokens"]);
}

TEST_F(GenerateCommand, SaysWhatIsWrong) {
  EXPECT_EQ(run({"--top-p", "1.5"}).exit_code, 2);
  EXPECT_EQ(run({"--max-tokens", "0"}).exit_code, 2);
  EXPECT_EQ(run_oneshot(folder, {"generate", kModel}).exit_code, 2);
  EXPECT_EQ(run({"--memory", "1MiB"}).exit_code, 5);
  expect_failure({"--device", "cuda"}, 4, "--device cuda: this build knows the device cpu only");
  const ProcessResult empty = run_oneshot(folder, {"generate", kModel, "--prompt", ""});
  EXPECT_EQ(empty.exit_code, 3);
  EXPECT_EQ(empty.error, "the prompt has no tokens; write at least one word\n");
  EXPECT_EQ(run({}, "nowhere").exit_code, 3);
}

}  // namespace
}  // namespace oneshot
