// What eval reads back out of each format: the perplexities that a float32 model of auto-round's
// own files has, unpacked by hand (fixtures of the goldens), and those of the plain weights.
#include <gmock/gmock.h>

#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

double perplexity(const std::string& options,
                  const std::string& format,
                  const std::string& model = "{dtype: auto}") {
  const TemporaryFolder folder;
  const Report report = run_recipe(
      folder,
      {.recipe = "version: 1\nmodel: " + model + "\nmodifiers:\n  - sign_round: {iterations: 0, " +
                 options + ", ignore: [lm_head]}\noutput: {formats: [" + format +
                 "]}\nevaluation: {text: " ONESHOT_EXAMPLE_DATA
                 "/heldout.txt, samples: 64, sequence_length: 256}\n"});
  return (*report.evaluation)["after"]["perplexity"].get<double>();
}

TEST(SignRoundEvaluation, EveryFormatHasThePerplexityOfThePeersFile) {
  for (const char* format : {"auto_round", "auto_gptq", "auto_awq", "compressed_tensors"}) {
    EXPECT_NEAR(perplexity("scheme: W4A16", format), 29.32478, 1e-4) << format;
  }
  for (const char* format : {"auto_round", "auto_awq", "compressed_tensors"}) {
    EXPECT_NEAR(perplexity("scheme: W4A16_ASYM", format), 29.29376, 1e-4) << format;
  }
  EXPECT_NEAR(perplexity("scheme: W2A16, group_size: 32", "auto_round"), 31.95214, 1e-4);
}

TEST(SignRoundEvaluation, FakeIsTheSameModelWithoutCodes) {
  // In float32 nothing is lost when the weights are written out.
  const std::string layers =
      ", layers: {'re:.*down_proj': {bits: 8}}, fp_layers: [layers.1.mlp.up]";
  for (const std::string& options : {"scheme: W3A16" + layers,
                                     std::string("scheme: W8A16, symmetric: false"),
                                     std::string("scheme: W4A16_ASYM, group_size: -1")}) {
    const double fake = perplexity(options, "fake", "{dtype: float32}");
    EXPECT_EQ(perplexity(options, "auto_round", "{dtype: float32}"), fake) << options;
    EXPECT_EQ(perplexity(options, "compressed_tensors", "{dtype: float32}"), fake) << options;
  }
}

}  // namespace
}  // namespace oneshot
