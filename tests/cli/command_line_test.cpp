// The command line as its users see it: what is printed where, and exit codes.
#include <gmock/gmock.h>
#include <sys/file.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/process.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

const std::string kModel = ONESHOT_EXAMPLE_MODELS "/tiny-llama";

const char* const kRecipe =
    "version: 1\n"
    "modifiers:\n"
    "  - quantize:\n"
    "      scheme: W4A16\n"
    "      ignore: [lm_head]\n";

class CommandLine : public testing::Test {
 protected:
  CommandLine() { write_file(folder.path() / "recipe.yaml", kRecipe); }

  ProcessResult run(const std::vector<std::string>& arguments, const ProcessLimits& limits = {}) {
    return run_oneshot(folder, arguments, limits);
  }

  /// The run fails with this code and one line on standard error, and leaves no output.
  void expect_failure(const std::vector<std::string>& arguments,
                      int code,
                      const std::string& line) {
    const ProcessResult result = run(arguments);
    EXPECT_EQ(result.exit_code, code);
    EXPECT_EQ(result.error, line + "\n");
    EXPECT_EQ(result.out, "");
    EXPECT_FALSE(fs::exists(folder.path() / "out"));
    EXPECT_FALSE(fs::exists(folder.path() / ".out.oneshot"));
  }

  TemporaryFolder folder;
};

TEST_F(CommandLine, RunPrintsASummaryAndNothingOnStandardError) {
  const ProcessResult result = run({"run", "recipe.yaml", "--model", kModel, "--output", "out"});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(result.error, "");
  EXPECT_THAT(result.out, HasSubstr("quantized  14 × W4A16\n"));
  EXPECT_THAT(result.out,
              HasSubstr("left       1 × ignore 'lm_head', 1 × is no Linear: Embedding, 5 × is no "
                        "Linear: Norm\n"));
  EXPECT_THAT(result.out, HasSubstr("output     " + (folder.path() / "out").string() + "\n"));

  EXPECT_THAT(run({"run", "recipe.yaml", "--model", kModel, "--output", "out"}).out,
              testing::StartsWith("up to date: "));
}

TEST_F(CommandLine, TheCommandRunMayBeLeftOut) {
  EXPECT_EQ(run({"recipe.yaml", "--model", kModel, "--output", "out", "--quiet"}).exit_code, 0);
  EXPECT_TRUE(fs::exists(folder.path() / "out/model.safetensors"));
}

TEST_F(CommandLine, JsonIsOneObjectOnStandardOutput) {
  const ProcessResult result =
      run({"run", "recipe.yaml", "--model", kModel, "--output", "out", "--json"});
  EXPECT_EQ(json::parse(result.out)["quantized"]["W4A16"], 14);
  EXPECT_EQ(result.error, "");
  const json plan = json::parse(run({"plan", "recipe.yaml", "--model", kModel, "--json"}).out);
  EXPECT_EQ(plan["output_bytes"], fs::file_size(folder.path() / "out/model.safetensors"));
  EXPECT_GT(plan["peak_memory_bytes"], 0);
  const auto& modules = plan["modules"];
  const auto head = std::find_if(
      modules.begin(), modules.end(), [](const json& m) { return m["name"] == "lm_head"; });
  EXPECT_EQ((*head)["scheme"], nullptr);
  EXPECT_EQ((*head)["rule"], "ignore 'lm_head'");
  EXPECT_EQ((*head)["bytes_before"], 1024 * 256 * 2);
}

TEST_F(CommandLine, TheLogHasOneObjectALine) {
  EXPECT_EQ(run({"run",
                 "recipe.yaml",
                 "--model",
                 kModel,
                 "--output",
                 "out",
                 "--log",
                 "run.log",
                 "--quiet"})
                .exit_code,
            0);
  std::ifstream log(folder.path() / "run.log");
  std::vector<std::string> events;
  for (std::string line; std::getline(log, line);) {
    events.push_back(json::parse(line)["event"]);
  }
  EXPECT_THAT(events, testing::ElementsAre("start", "plan", "done"));
}

TEST_F(CommandLine, SetOverridesTheRecipe) {
  const ProcessResult result = run({"run",
                                    "recipe.yaml",
                                    "--model",
                                    kModel,
                                    "--output",
                                    "out",
                                    "--set",
                                    "modifiers.0.scheme=fp8_dynamic",
                                    "--json"});
  EXPECT_EQ(json::parse(result.out)["quantized"]["FP8_DYNAMIC"], 14);
}

TEST_F(CommandLine, WrongRecipesNameThePlace) {
  write_file(folder.path() / "recipe.yaml", std::string(kRecipe) + "      ignor: [lm_head]\n");
  expect_failure({"run", "recipe.yaml", "--model", kModel, "--output", "out"},
                 2,
                 "recipe.yaml:6:7: quantize: unknown option 'ignor', did you mean 'ignore'?");
}

TEST_F(CommandLine, WrongArgumentsAreOneLineToo) {
  const ProcessResult missing = run({"run", "recipe.yaml", "--output", "out"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_EQ(missing.error, "oneshot: --model is required; see `oneshot run --help`\n");
  EXPECT_EQ(run({"rnu", "recipe.yaml"}).error,
            "oneshot: 'rnu' is no command, did you mean 'run'?\n");
  EXPECT_EQ(run({"frobnicate"}).error,
            "oneshot: 'frobnicate' is no command; see `oneshot --help`\n");
  EXPECT_EQ(run({"frobnicate"}).exit_code, 2);
  EXPECT_EQ(run({}).exit_code, 2);
  EXPECT_EQ(run({"run", "recipe.yaml", "--model", kModel, "--output", "out", "--threads", "none"})
                .exit_code,
            2);
}

TEST_F(CommandLine, HelpAndVersionAreResults) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"run", "--help"}, {"--version"}}) {
    const ProcessResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_NE(result.out, "");
    EXPECT_EQ(result.error, "");
  }
}

TEST_F(CommandLine, UnknownDevicesAreNotSupported) {
  expect_failure({"run", "recipe.yaml", "--model", kModel, "--output", "out", "--device", "cuda"},
                 4,
                 "--device cuda: this build knows the device cpu only");
}

TEST_F(CommandLine, TheOutputIsNeverInTheSource) {
  fs::copy(kModel, folder.path() / "model");
  const ProcessResult inside =
      run({"run", "recipe.yaml", "--model", "model", "--output", "model/out"});
  EXPECT_EQ(inside.exit_code, 2);
  const ProcessResult equal =
      run({"run", "recipe.yaml", "--model", "model", "--output", "model", "--overwrite"});
  EXPECT_EQ(equal.exit_code, 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path() / "model"), {}), 5);
}

TEST_F(CommandLine, AFullDiskLeavesNothing) {
  const ProcessResult result =
      run({"run", "recipe.yaml", "--model", kModel, "--output", "out"}, {.largest_file = 1 << 20});
  EXPECT_EQ(result.exit_code, 5) << result.error;
  EXPECT_EQ(std::count(result.error.begin(), result.error.end(), '\n'), 1);
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
  EXPECT_FALSE(fs::exists(folder.path() / ".out.oneshot"));
}

TEST_F(CommandLine, WhatAKilledRunLeftIsCleared) {
  write_file(folder.path() / ".out.oneshot/output/model.safetensors", "half");
  write_file(folder.path() / ".out.oneshot/lock", "");
  EXPECT_EQ(run({"run", "recipe.yaml", "--model", kModel, "--output", "out"}).exit_code, 0);
  EXPECT_FALSE(fs::exists(folder.path() / ".out.oneshot"));
}

TEST_F(CommandLine, ASecondRunOfTheSameOutputIsRefused) {
  write_file(folder.path() / ".out.oneshot/lock", "");
  const int lock = open((folder.string() + "/.out.oneshot/lock").c_str(), O_RDWR);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  const ProcessResult result = run({"run", "recipe.yaml", "--model", kModel, "--output", "out"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.error, HasSubstr("in use"));
  close(lock);
}

TEST_F(CommandLine, CheckReadsNoDataAndRunWantsIt) {
  write_file(folder.path() / "recipe.yaml",
             std::string(kRecipe) + "calibration: {dataset: nowhere.jsonl}\n");
  const ProcessResult check = run({"check", "recipe.yaml", "--model", kModel});
  EXPECT_EQ(check.exit_code, 0);
  EXPECT_EQ(check.out, "recipe.yaml: fits " + kModel + ": 14 modules to quantize\n");
  EXPECT_EQ(check.error,
            "warning: recipe.yaml:6:1: `calibration:` is not used: no modifier needs data\n"
            "warning: recipe.yaml:6:24: dataset " +
                (folder.path() / "nowhere.jsonl").string() + " is not there\n");
  const ProcessResult missing = run({"run", "recipe.yaml", "--model", kModel, "--output", "out"});
  EXPECT_EQ(missing.exit_code, 3);
}

TEST_F(CommandLine, AQuantizedSourceIsNotQuantizedAgain) {
  EXPECT_EQ(run({"run", "recipe.yaml", "--model", kModel, "--output", "first"}).exit_code, 0);
  const ProcessResult again = run({"run", "recipe.yaml", "--model", "first", "--output", "out"});
  EXPECT_EQ(again.exit_code, 4);
  EXPECT_THAT(again.error, HasSubstr("quantization_config"));
}

TEST_F(CommandLine, InspectSaysWhatIsThereAndWhetherItIsWhole) {
  EXPECT_EQ(run({"run", "recipe.yaml", "--model", kModel, "--output", "out"}).exit_code, 0);
  const ProcessResult whole = run({"inspect", "out"});
  EXPECT_EQ(whole.exit_code, 0);
  EXPECT_THAT(whole.out, HasSubstr("format        compressed_tensors\n"));
  EXPECT_THAT(whole.out, HasSubstr("scheme        14 × W4A16 (int4 group 128 symmetric)\n"));
  EXPECT_THAT(run({"inspect", kModel}).out, HasSubstr("format        not quantized\n"));
  const json found = json::parse(run({"inspect", "out", "--json"}).out);
  EXPECT_EQ(found["tensors"].size(), 49U);

  fs::resize_file(folder.path() / "out/model.safetensors", 1'000'000);
  const ProcessResult damaged = run({"inspect", "out"});
  EXPECT_EQ(damaged.exit_code, 3);
  EXPECT_EQ(std::count(damaged.error.begin(), damaged.error.end(), '\n'), 1);
}

TEST_F(CommandLine, EveryListHasLines) {
  for (const char* what : {"modifiers", "schemes", "formats", "models", "kernels"}) {
    const ProcessResult result = run({"list", what});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_GE(std::count(result.out.begin(), result.out.end(), '\n'), 2) << what;
  }
}

TEST_F(CommandLine, TheSchemaInTheTreeIsTheOneThatIsPrinted) {
  EXPECT_EQ(run({"schema"}).out, read_file(ONESHOT_SOURCES "/recipes/schema.json"))
      << "write it anew with `make schema`";
  EXPECT_EQ(run({"schema", "--markdown"}).out, read_file(ONESHOT_SOURCES "/recipes/schema.md"))
      << "write it anew with `make schema`";
}

TEST_F(CommandLine, EveryRecipeOfTheTreeIsRightAndNamesItsSchema) {
  for (const char* place : {"examples/recipes", "recipes/library"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(ONESHOT_SOURCES) / place)) {
      if (entry.path().extension() != ".yaml") {
        continue;
      }
      const ProcessResult result = run({"check", entry.path().string()});
      EXPECT_EQ(result.exit_code, 0) << result.error;
      const std::string text = read_file(entry.path());
      ASSERT_THAT(text, testing::StartsWith("# yaml-language-server: $schema=")) << entry.path();
      const std::string schema = text.substr(32, text.find('\n') - 32);
      EXPECT_TRUE(fs::exists(entry.path().parent_path() / schema)) << entry.path();
    }
  }
}

}  // namespace
}  // namespace oneshot
