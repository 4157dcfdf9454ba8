// Perplexities of the embedded model and of what is made of it, against what Transformers measures
// on the peer's checkpoints of the same bytes (llm-compressor 0.14.0.1, 64 windows of 256 tokens).
#include "engine/evaluate/perplexity.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "engine/checkpoint_model.h"
#include "engine/text/tokenizer.h"
#include "formats/registry.h"
#include "tests/support/expect_error.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

double perplexity_of(const std::filesystem::path& folder, bool weight_only = false) {
  std::vector<std::unique_ptr<Format>> formats;
  formats.push_back(oneshot::formats().front().make());
  CheckpointModel model(folder, std::move(formats), weight_only);
  const std::vector<int32_t> ids =
      Tokenizer::from_folder(tiny_llama())
          .encode(read_file(ONESHOT_EXAMPLE_DATA "/heldout.txt"), false);
  return perplexity(model.graph(), model.weights(), ids, {256, 64}).perplexity;
}

TEST(Perplexity, OfTheEmbeddedModel) {
  EXPECT_NEAR(perplexity_of(tiny_llama()), 29.1134, 1e-3);
}

TEST(Perplexity, OfFourBitWeights) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = quantize_recipe("scheme: W4A16, ignore: [lm_head]")});
  EXPECT_NEAR(perplexity_of(folder.path() / "out"), 29.29299, 1e-3);
}

TEST(Perplexity, OfFloat8WithAndWithoutActivations) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = quantize_recipe("scheme: FP8_DYNAMIC, ignore: [lm_head]")});
  EXPECT_NEAR(
      perplexity_of(folder.path() / "out"), 29.14965, 0.003 * 29.14965);  // edges of rounding
  EXPECT_NEAR(perplexity_of(folder.path() / "out", true), 29.12823, 1e-3);
}

TEST(Perplexity, OfAHeadWhoseInputsAreQuantized) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = quantize_recipe("scheme: W4A8, targets: [lm_head]")});
  EXPECT_NE(perplexity_of(folder.path() / "out"), perplexity_of(folder.path() / "out", true));
}

/// A model that gives every token of a vocabulary of 4 the same chance.
std::unique_ptr<ModelGraph> uniform_model() {
  ModelGraph::Parts parts;
  parts.embedding = "embed";
  parts.norm = std::make_unique<RmsNorm>("norm", 2, 1e-6);
  parts.context = [](const TextBatch&, at::ScalarType) { return BlockContext{}; };
  return std::make_unique<ModelGraph>(std::move(parts));
}

Weights zeros() {
  return {[](const std::string&) { return true; },
          [](const std::string& name) {
            return name == "norm.weight" ? at::ones({2}) : at::zeros({4, 2});
          }};
}

TEST(Perplexity, OfAUniformModelIsItsVocabulary) {
  const std::vector<int32_t> ids(25, 1);
  const PerplexityResult all = perplexity(*uniform_model(), zeros(), ids, {4, 0});
  EXPECT_NEAR(all.perplexity, 4, 1e-6);
  EXPECT_EQ(all.windows, 6);  // the last token is dropped
  EXPECT_EQ(all.tokens, 18);
  EXPECT_EQ(perplexity(*uniform_model(), zeros(), ids, {4, 2}).windows, 2);
}

TEST(Perplexity, RefusesShortTextsAndForeignTokens) {
  const std::vector<int32_t> ids{0, 1, 9};
  expect_error(ErrorCode::Checkpoint,
               "the text has 3 tokens, fewer than one window of 4; give a longer text or a smaller "
               "--sequence-length",
               [&] {
                 perplexity(*uniform_model(), zeros(), ids, {4, 0});
               });
  expect_error(
      ErrorCode::Checkpoint,
      "token 9 is outside the model's vocabulary of 4; does the tokenizer belong to the model?",
      [&] {
        perplexity(*uniform_model(), zeros(), ids, {3, 0});
      });
}

TEST(Perplexity, RefusesWhatIsNoNumber) {
  const std::vector<int32_t> ids(25, 1);
  const Weights damaged{
      zeros().has, [](const std::string& name) { return zeros().load(name).fill_(std::nan("")); }};
  expect_error(ErrorCode::Failed,
               "the model gives a probability that is not a number; are the weights damaged?",
               [&] {
                 perplexity(*uniform_model(), damaged, ids, {4, 0});
               });
}

TEST(Perplexity, IsTheSameForAnyThreadsAndMemory) {
  CheckpointModel model(tiny_llama(), {}, false);
  const std::vector<int32_t> ids =
      Tokenizer::from_folder(tiny_llama())
          .encode(read_file(ONESHOT_EXAMPLE_DATA "/heldout.txt"), false);
  const auto with = [&](const EvaluationResources& resources) {
    return perplexity(model.graph(), model.weights(), ids, {200, 12}, resources).perplexity;
  };
  const double one = with({});
  EXPECT_EQ(with({.threads = 3}), one);
  EXPECT_EQ(with({.threads = 2, .tokens_at_once = 500}), one);
}

TEST(Perplexity, EndsWhenAsked) {
  const std::vector<int32_t> ids(16, 1);
  const EvaluationResources stop{.progress = [](int64_t, int64_t) { return false; }};
  EXPECT_THROW(perplexity(*uniform_model(), zeros(), ids, {4, 0}, stop), Error);
}

}  // namespace
}  // namespace oneshot
