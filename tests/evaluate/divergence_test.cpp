// How far quantized checkpoints are from their source, against what Transformers measures on the
// peer's checkpoints of the same bytes (llm-compressor 0.14.0.1).
#include "engine/evaluate/divergence.h"

#include <gtest/gtest.h>

#include "cli/job.h"
#include "engine/checkpoint_model.h"
#include "engine/text/tokenizer.h"
#include "tests/support/expect_error.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

// "kl_to_base" was measured on these 16 tokens.
const std::vector<int32_t> kIds{
    46, 304, 69, 26, 764, 221, 292, 701, 288, 264, 273, 79, 510, 326, 264, 661};

struct GoldenCase {
  const char* scheme;
  bool weight_only;
  double kl;
  double tolerance;  // activations on an edge of rounding can go either way
};

class Divergence : public testing::TestWithParam<GoldenCase> {
 protected:
  /// Of a recipe's output from its source.
  DivergenceResult measure(const std::string& scheme,
                           bool weight_only,
                           const std::vector<int32_t>& ids,
                           const PerplexityOptions& options,
                           const EvaluationResources& resources = {}) {
    run_recipe(folder, {.recipe = quantize_recipe("scheme: " + scheme + ", ignore: [lm_head]")});
    CheckpointModel model(folder.path() / "out", cli::all_formats(), weight_only);
    CheckpointModel source(tiny_llama(), {}, false);
    return divergence({model.graph(), model.weights()},
                      {source.graph(), source.weights()},
                      ids,
                      options,
                      resources);
  }

  TemporaryFolder folder;
};

TEST_P(Divergence, IsThatOfTheGolden) {
  const GoldenCase& golden = GetParam();
  const double kl = measure(golden.scheme, golden.weight_only, kIds, {16, 0}).kl;
  EXPECT_NEAR(kl, golden.kl, golden.tolerance * golden.kl);
}

INSTANTIATE_TEST_SUITE_P(Goldens,
                         Divergence,
                         testing::Values(GoldenCase{"FP8_BLOCK", true, 0.0006141, 1e-3},
                                         GoldenCase{"FP8_BLOCK", false, 0.0020141, 0.05},
                                         GoldenCase{"FP8_DYNAMIC", true, 0.0004503, 1e-3},
                                         GoldenCase{"FP8_DYNAMIC", false, 0.0020931, 0.05},
                                         GoldenCase{"W3A16", false, 0.0493662, 1e-3},
                                         GoldenCase{"W4A16", false, 0.0097493, 1e-3},
                                         GoldenCase{"W4A16_ASYM", false, 0.0079429, 1e-3},
                                         GoldenCase{"W8A16", false, 3.69e-05, 5e-3},
                                         GoldenCase{"W8A8", true, 4.98e-05, 5e-3},
                                         GoldenCase{"W8A8", false, 0.0004659, 0.05},
                                         GoldenCase{"NVFP4A16", false, 0.007166, 0.05},
                                         GoldenCase{"MXFP4A16", false, 0.0108147, 1e-3}),
                         [](const auto& tested) {
                           return std::string(tested.param.scheme) +
                                  (tested.param.weight_only ? "_weights" : "");
                         });

class DivergenceOfText : public Divergence {
 protected:
  std::vector<int32_t> ids = Tokenizer::from_folder(tiny_llama())
                                 .encode(read_file(ONESHOT_EXAMPLE_DATA "/heldout.txt"), false);
};

// Transformers 5.17.0 on 4 windows of 128 tokens: hooks on the layers of both models.
TEST_F(DivergenceOfText, BlocksAndTokensAreComparedOverAllWindows) {
  const DivergenceResult result = measure("W4A16", false, ids, {128, 4});
  EXPECT_NEAR(result.kl, 0.01045860, 1e-6);
  EXPECT_NEAR(result.top1_agreement, 0.912109375, 1e-9);
  ASSERT_EQ(result.block_error.size(), 2U);
  EXPECT_NEAR(result.block_error[0], 0.0039095753, 1e-7);
  EXPECT_NEAR(result.block_error[1], 0.0091942031, 1e-7);
}

TEST_F(DivergenceOfText, HasThePerplexityOfBoth) {
  const DivergenceResult result = measure("W4A16", false, ids, {256, 64});
  EXPECT_NEAR(result.perplexity.perplexity, 29.29299, 1e-3);
  EXPECT_NEAR(result.reference_perplexity.perplexity, 29.11344, 1e-3);
}

TEST_F(DivergenceOfText, IsTheSameForAnyThreadsAndMemory) {
  const DivergenceResult one = measure("W4A16", false, ids, {128, 6});
  const DivergenceResult other =
      measure("W4A16", false, ids, {128, 6}, {.threads = 3, .tokens_at_once = 300});
  EXPECT_EQ(other.kl, one.kl);
  EXPECT_EQ(other.block_error, one.block_error);
  EXPECT_EQ(other.perplexity.perplexity, one.perplexity.perplexity);
}

TEST(DivergenceOfModels, RefusesOthersThanTheSource) {
  CheckpointModel model(tiny_llama(), {}, false);
  CheckpointModel other(test_model("llama"), {}, false);
  expect_error(
      ErrorCode::Checkpoint,
      "--against: that model has " + std::to_string(other.config()["vocab_size"].get<int>()) +
          " tokens in its vocabulary and this one 1024; compare a checkpoint with the one "
          "that it was made from",
      [&] {
        divergence(
            {model.graph(), model.weights()}, {other.graph(), other.weights()}, kIds, {16, 0});
      });
}

}  // namespace
}  // namespace oneshot
