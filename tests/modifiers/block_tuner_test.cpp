// A block tuned by signed gradients, against what its codes do in the block, and against rounding
// to nearest, which is auto-round's to the bit.
#include "modifiers/sign_round/block_tuner.h"

#include <gmock/gmock.h>

#include <limits>

#include "engine/calibration/python_random.h"
#include "modifiers/sign_round/round_to_nearest.h"
#include "tests/modifiers/tiny_block.h"
#include "tests/support/expect_error.h"

namespace oneshot {
namespace {

constexpr size_t kSamples = 6;

/// All samples in every batch.
SignRoundOptions whole_batches(int64_t iterations) {
  return {.iterations = iterations, .batch_size = kSamples};
}

QuantizedWeight nearest(const TinyTuning& tuning, const Module& module) {
  return *sign_round::round_to_nearest(*tuning.planned.front().scheme, module.weight);
}

/// The loss by its definition: the mean square error of the block's output over all tokens but the
/// last of each sample, with these weights in place of its own.
double loss_with(TinyTuning& tuning, const std::map<std::string, QuantizedWeight>& weights) {
  std::map<Module*, at::Tensor> own;
  for (Module* module : tuning.block.modules()) {
    own[module] = module->weight;
    module->weight = dequantize(weights.at(module->name())).to(at::kFloat);
  }
  double squares = 0;
  int64_t values = 0;
  for (size_t i = 0; i < tuning.samples.size(); ++i) {
    const int64_t tokens = tuning.samples.counted(i);
    const at::Tensor error =
        tuning.block.forward(tuning.samples.input(i), tuning.samples.context(i)) -
        tuning.samples.target(i);
    squares += error.narrow(1, 0, tokens).to(at::kDouble).square().sum().item<double>();
    values += tokens * TinyBlock::kHidden;
  }
  for (const auto& [module, weight] : own) {
    module->weight = weight;
  }
  return squares / static_cast<double>(values);
}

std::map<std::string, QuantizedWeight> all_nearest(TinyTuning& tuning) {
  std::map<std::string, QuantizedWeight> weights;
  for (const Module* module : tuning.block.modules()) {
    weights[module->name()] = nearest(tuning, *module);
  }
  return weights;
}

void expect_same_weights(const std::map<std::string, QuantizedWeight>& weights,
                         const std::map<std::string, QuantizedWeight>& expected) {
  ASSERT_EQ(weights.size(), expected.size());
  for (const auto& [module, weight] : expected) {
    EXPECT_TRUE(at::equal(weights.at(module).codes, weight.codes)) << module;
    EXPECT_TRUE(at::equal(weights.at(module).scale, weight.scale)) << module;
  }
}

void expect_near(const std::vector<double>& losses, const std::vector<double>& expected) {
  ASSERT_EQ(losses.size(), expected.size());
  for (size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(losses[i], expected[i], 0.01 * expected[i]) << i;
  }
}

TEST(BlockTuner, TheLossIsThatOfTheCodes) {
  TinyTuning tuning;
  SignRoundOptions options = whole_batches(40);
  options.loss = LossKind::Absolute;
  const TunedBlock tuned = tune_block(tuning.tunable(), options);
  const double before = loss_with(tuning, all_nearest(tuning));
  const double after = loss_with(tuning, tuned.weights);
  EXPECT_NEAR(tuned.losses.front(), before, 1e-5 * before);
  EXPECT_NEAR(tuned.losses[static_cast<size_t>(tuned.best)], after, 1e-5 * after);
  EXPECT_EQ(*std::min_element(tuned.losses.begin(), tuned.losses.end()),
            tuned.losses[static_cast<size_t>(tuned.best)]);
  EXPECT_EQ(tuned.losses.size(), 40u);
  EXPECT_LT(after, 0.8 * before);
}

TEST(BlockTuner, TheFirstIterationIsRoundingToNearest) {
  TinyTuning tuning;
  expect_same_weights(tune_block(tuning.tunable(), whole_batches(1)).weights, all_nearest(tuning));
}

TEST(BlockTuner, TheCodesDoNotDependOnThreads) {
  TinyTuning tuning;
  const SignRoundOptions options{.iterations = 20, .batch_size = 4};
  const TunedBlock one = tune_block(tuning.tunable(1), options);
  for (const int threads : {2, 3}) {
    const TunedBlock other = tune_block(tuning.tunable(threads), options);
    EXPECT_EQ(other.losses, one.losses);
    expect_same_weights(other.weights, one.weights);
  }
}

TEST(BlockTuner, SamplesMayBeTakenInParts) {
  TinyTuning tuning;
  const TunedBlock whole = tune_block(tuning.tunable(), whole_batches(8));
  for (const size_t at_once : {1, 4}) {
    expect_near(tune_block(tuning.tunable(1, at_once), whole_batches(8)).losses, whole.losses);
  }
}

TEST(BlockTuner, AccumulatedBatchesAreOneStep) {
  TinyTuning tuning;
  const TunedBlock whole = tune_block(tuning.tunable(), whole_batches(8));
  expect_near(
      tune_block(tuning.tunable(), {.iterations = 8, .batch_size = 2, .gradient_accumulation = 3})
          .losses,
      whole.losses);
  // More than there are: all of them.
  expect_near(
      tune_block(tuning.tunable(), {.iterations = 8, .batch_size = 5, .gradient_accumulation = 9})
          .losses,
      whole.losses);
}

TEST(BlockTuner, EndsEarlyWhenNothingIsGained) {
  TinyTuning tuning;
  SignRoundOptions options = whole_batches(100);
  options.learning_rate = 1;  // throws every rounding to one of its ends
  options.early_stopping = 5;
  const TunedBlock tuned = tune_block(tuning.tunable(), options);
  EXPECT_LT(tuned.losses.size(), 100u);
  EXPECT_EQ(tuned.losses.size(), static_cast<size_t>(tuned.best) + 6);
}

TEST(BlockTuner, AModuleThatIsLeftOutStaysAsItIs) {
  TinyTuning tuning;
  TunableBlock block = tuning.tunable();
  block.modules.pop_back();
  const TunedBlock tuned = tune_block(block, whole_batches(10));
  EXPECT_EQ(tuned.weights.size(), 2u);
  EXPECT_FALSE(tuned.weights.contains("block.down_proj"));
  EXPECT_LT(tuned.losses[static_cast<size_t>(tuned.best)], tuned.losses.front());
}

/// Tuned one sample an iteration; the third that comes has no target.
class FailingBlock : public testing::Test {
 protected:
  FailingBlock() {
    BatchSampler order(42, kSamples, 1);
    order.next();
    order.next();
    tuning.samples.targets[order.next().front()].fill_(std::numeric_limits<float>::quiet_NaN());
  }

  TinyTuning tuning;
  SignRoundOptions options{.iterations = 10, .batch_size = 1};
};

TEST_F(FailingBlock, EndsTheRunNamingTheIteration) {
  expect_error(ErrorCode::Failed,
               "block: its loss is not finite at iteration 3; lower learning_rate, or let such "
               "blocks be rounded to nearest with `on_failure: round_to_nearest`",
               [&] { tune_block(tuning.tunable(), options); });
}

TEST_F(FailingBlock, IsRoundedToNearestWhenAsked) {
  options.round_failures = true;
  const TunedBlock tuned = tune_block(tuning.tunable(), options);
  EXPECT_EQ(tuned.failure, "block: its loss is not finite at iteration 3");
  expect_same_weights(tuned.weights, all_nearest(tuning));
}

TEST_F(FailingBlock, IsLeftAsItWas) {
  const at::Tensor before = tuning.block.up.weight.clone();
  EXPECT_THROW(tune_block(tuning.tunable(), options), Error);
  EXPECT_TRUE(at::equal(tuning.block.up.weight, before));
  EXPECT_EQ(tuning.block.up.tuned, nullptr);
  EXPECT_FALSE(tuning.block.up.prepare_input);
}

TEST(BlockTuner, EndsWhenAsked) {
  TinyTuning tuning;
  TunableBlock block = tuning.tunable();
  int64_t seen = 0;
  block.progress = [&](int64_t done, int64_t total, double) {
    seen = done;
    EXPECT_EQ(total, 50);
    return done < 3;
  };
  EXPECT_EQ(error_message(ErrorCode::Interrupted, [&] { tune_block(block, whole_batches(50)); }),
            "interrupted; no output was written");
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(tuning.block.up.tuned, nullptr);
}

TEST(BlockTuner, RefusesWeightsThatAreNotFinite) {
  TinyTuning tuning;
  tuning.block.down.weight[3][5] = std::numeric_limits<float>::infinity();
  expect_error(ErrorCode::Checkpoint,
               "block.down_proj.weight: holds NaN or infinity, which cannot be quantized; mend the "
               "checkpoint or add the module to ignore",
               [&] { tune_block(tuning.tunable(), whole_batches(2)); });
}

}  // namespace
}  // namespace oneshot
