// What sign_round's options come to: the qualities and learning rates of auto-round's recipes.
#include "modifiers/sign_round/sign_round_options.h"

#include <gtest/gtest.h>

#include "recipes/option_reader.h"

namespace oneshot {
namespace {

SignRoundOptions read(const std::string& yaml) {
  const auto table = std::make_shared<recipes::Option>(recipes::Option{
      .name = "sign_round", .type = recipes::OptionType::Mapping, .fields = tuning_options()});
  return read_tuning(
      recipes::read_options(recipes::parse_yaml(yaml, "recipe.yaml"), table, {"/", "/"}));
}

TEST(SignRoundOptions, Defaults) {
  const SignRoundOptions options = read("{}");
  EXPECT_EQ(options.iterations, 200);
  EXPECT_EQ(options.batch_size, 8u);
  EXPECT_EQ(options.gradient_accumulation, 1u);
  EXPECT_EQ(options.early_stopping, 0);
  EXPECT_EQ(options.minmax_learning_rate, 0);
  EXPECT_TRUE(options.quantized_input);
  EXPECT_TRUE(options.scale_search);
  EXPECT_EQ(options.loss, LossKind::Relative);
  EXPECT_FALSE(options.round_failures);
  EXPECT_EQ(options.unseen, Unseen::Stop);
}

TEST(SignRoundOptions, Qualities) {
  EXPECT_EQ(read("quality: light").iterations, 50);
  EXPECT_DOUBLE_EQ(read("quality: light").rate_of(4), 0.014);  // 0.7 / 50
  EXPECT_EQ(read("quality: default").iterations, 200);
  EXPECT_DOUBLE_EQ(read("quality: default").rate_of(4), 0.0035);
  EXPECT_EQ(read("quality: best").iterations, 1000);
  EXPECT_DOUBLE_EQ(read("quality: best").rate_of(4), 0.0007);
}

TEST(SignRoundOptions, IterationsOverrideTheQuality) {
  const SignRoundOptions options = read("{quality: light, iterations: 20}");
  EXPECT_EQ(options.iterations, 20);
  EXPECT_DOUBLE_EQ(options.rate_of(4), 0.035);
  EXPECT_DOUBLE_EQ(options.range_rate_of(4), 0.007);
  EXPECT_DOUBLE_EQ(read("{quality: best, learning_rate: 0.25}").rate_of(4), 0.25);
}

TEST(SignRoundOptions, FewBitsStepTwiceAsFarInLongRuns) {
  EXPECT_DOUBLE_EQ(read("iterations: 1000").rate_of(3), 0.0014);
  EXPECT_DOUBLE_EQ(read("iterations: 1000").rate_of(2), 0.0014);
  EXPECT_DOUBLE_EQ(read("iterations: 1000").rate_of(4), 0.0007);
  EXPECT_DOUBLE_EQ(read("iterations: 500").rate_of(2), 0.0014);
  EXPECT_DOUBLE_EQ(read("iterations: 2000").rate_of(2), 0.0007);
  EXPECT_DOUBLE_EQ(read("{iterations: 1000, learning_rate: 0.5}").rate_of(2), 0.5);
}

TEST(SignRoundOptions, OnlyStepsAndSearchesNeedData) {
  EXPECT_FALSE(read("iterations: 0").tunes());
  EXPECT_TRUE(read("iterations: 1").scale_search);
  EXPECT_FALSE(read("{iterations: 1, scale_search: false}").scale_search);
  EXPECT_TRUE(read("iterations: 1").tunes());
  EXPECT_TRUE(read("{iterations: 0, scale_search: true}").tunes());
}

TEST(SignRoundOptions, WordsForWhatGoesWrong) {
  EXPECT_TRUE(read("on_failure: round_to_nearest").round_failures);
  EXPECT_EQ(read("unseen: round_to_nearest").unseen, Unseen::RoundToNearest);
  EXPECT_EQ(read("unseen: keep").unseen, Unseen::Keep);
}

}  // namespace
}  // namespace oneshot
