// Whole tuned runs on the embedded model: perplexities beside those of auto-round 0.15.1 with the
// same rows, seed and iterations, what is tuned, and what the report says of it.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "engine/checkpoint_model.h"
#include "engine/evaluate/perplexity.h"
#include "engine/text/tokenizer.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

using nlohmann::json;

std::string recipe_with(const std::string& options, int samples, int sequence_length) {
  return "version: 1\ncalibration: {dataset: " ONESHOT_TEST_DATA
         "/calibration/calib_ids.jsonl, samples: " +
         std::to_string(samples) + ", sequence_length: " + std::to_string(sequence_length) +
         ", shuffle: false, seed: 42}\nmodifiers:\n  - sign_round: {" + options +
         "}\noutput: {formats: [auto_round]}\n";
}

std::string short_recipe(const std::string& options) {
  return recipe_with("scheme: W4A16, group_size: 32, batch_size: 8, " + options, 8, 32);
}

double perplexity_of(const std::filesystem::path& folder) {
  CheckpointModel model(folder, cli::all_formats(), false);
  const std::vector<int32_t> ids =
      Tokenizer::from_folder(tiny_llama())
          .encode(read_file(ONESHOT_EXAMPLE_DATA "/heldout.txt"), false);
  return perplexity(model.graph(), model.weights(), ids, {256, 64}, {.threads = 2}).perplexity;
}

void expect_lower_losses(const Report& report, size_t iterations) {
  for (const BlockReport& block : report.blocks) {
    ASSERT_EQ(block.losses.size(), iterations);
    EXPECT_LT(block.losses[static_cast<size_t>(block.best)], block.losses.front()) << block.name;
    EXPECT_EQ(block.failure, "");
  }
}

struct Case {
  const char* name;
  const char* options;
  double lowest, highest;  // perplexity
};

/// For the names in the list of tests.
void PrintTo(const Case& tested, std::ostream* out) {
  *out << tested.name;
}

class TunedPerplexity : public testing::TestWithParam<Case> {};

TEST_P(TunedPerplexity, IsWhereThePeerCameTo) {
  const TemporaryFolder folder;
  const Report report = run_recipe(
      folder,
      {.recipe = recipe_with(GetParam().options + std::string(", batch_size: 8"), 64, 256)});
  ASSERT_EQ(report.blocks.size(), 2u);
  if (!report.blocks.front().losses.empty()) {
    expect_lower_losses(report, 20);
  }
  const double perplexity = perplexity_of(folder.path() / "out");
  EXPECT_GT(perplexity, GetParam().lowest);
  EXPECT_LT(perplexity, GetParam().highest);
}

// The peer's figures, one run each: 29.196, 30.474, 29.242; rounded to nearest: 29.325, 31.951.
INSTANTIATE_TEST_SUITE_P(
    Schemes,
    TunedPerplexity,
    testing::Values(
        Case{"W4A16", "scheme: W4A16, iterations: 20", 29.05, 29.28},
        Case{"W2A16", "scheme: W2A16, group_size: 32, iterations: 20", 30.0, 30.9},
        Case{"ScaleSearch", "scheme: W4A16, iterations: 0, scale_search: true", 29.21, 29.275}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(TunedRun, LinearsOutsideBlocksAreTunedAlone) {
  const TemporaryFolder folder;
  const Report report =
      run_recipe(folder, {.recipe = short_recipe("targets: [Linear], iterations: 30")});
  ASSERT_EQ(report.blocks.size(), 3u);
  EXPECT_EQ(report.quantized.at("W4A16"), 15u);  // 7 of each of two blocks, and lm_head
  expect_lower_losses(report, 30);
  const auto tensors = tensor_bytes_of(folder.path() / "out/model.safetensors");
  EXPECT_TRUE(tensors.contains("lm_head.qweight"));
  EXPECT_FALSE(tensors.contains("lm_head.weight"));
}

TEST(TunedRun, ABlockThatIsIgnoredStaysAsItIs) {
  const TemporaryFolder folder;
  const Report report = run_recipe(
      folder, {.recipe = short_recipe("ignore: ['re:model.layers.0.*'], iterations: 3")});
  ASSERT_EQ(report.blocks.size(), 1u);
  EXPECT_EQ(report.blocks.front().name, "model.layers.1");
  const auto before = tensor_bytes_of(tiny_llama() / "model.safetensors");
  const auto after = tensor_bytes_of(folder.path() / "out/model.safetensors");
  int kept = 0;
  for (const auto& [name, bytes] : before) {
    if (name.starts_with("model.layers.0.")) {
      ++kept;
      ASSERT_TRUE(after.contains(name)) << name;
      EXPECT_EQ(after.at(name), bytes) << name;
    }
  }
  EXPECT_EQ(kept, 9);  // seven Linears and two norms
  EXPECT_TRUE(after.contains("model.layers.1.mlp.up_proj.qweight"));
}

TEST(TunedRun, TheReportHasTheLossOfEveryIteration) {
  const TemporaryFolder folder;
  const Report report = run_recipe(folder, {.recipe = short_recipe("iterations: 5")});
  const json written = json::parse(read_file(folder.path() / "out/report.json"));
  ASSERT_EQ(written["blocks"].size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const json& block = written["blocks"][i];
    EXPECT_EQ(block["name"], "model.layers." + std::to_string(i));
    ASSERT_EQ(block["losses"].size(), 5u);
    EXPECT_EQ(block["losses"], json(report.blocks[i].losses));
    const auto losses = block["losses"].get<std::vector<double>>();
    EXPECT_EQ(losses[block["best"].get<size_t>()], *std::min_element(losses.begin(), losses.end()));
    EXPECT_EQ(block["failure"], "");
  }
}

TEST(TunedRun, TheBytesDoNotDependOnTheNumberOfThreads) {
  const TemporaryFolder folder;
  for (const int threads : {1, 2, 3}) {
    run_recipe(folder,
               {.recipe = short_recipe("targets: [Linear], iterations: 3"),
                .output = std::to_string(threads),
                .threads = threads});
  }
  auto one = folder_contents(folder.path() / "1");
  one.erase("report.json");  // times and memory
  for (const char* threads : {"2", "3"}) {
    auto other = folder_contents(folder.path() / threads);
    other.erase("report.json");
    EXPECT_EQ(other, one);
  }
}

TEST(TunedRun, ALearningRateThatHelpsNothingIsAWarning) {
  const TemporaryFolder folder;
  const Report report =
      run_recipe(folder, {.recipe = short_recipe("iterations: 3, learning_rate: 1")});
  EXPECT_THAT(report.warnings,
              testing::Contains(testing::HasSubstr(
                  "tuning did not lower the loss of model.layers.0, model.layers.1; is the "
                  "learning rate too high?")));
}

}  // namespace
}  // namespace oneshot
