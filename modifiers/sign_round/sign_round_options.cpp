#include "modifiers/sign_round/sign_round_options.h"

#include <array>

namespace oneshot {
namespace {

using recipes::Option;
using recipes::OptionType;

/// Source: the recipes auto-round-light, auto-round and auto-round-best of auto-round 0.15.
struct Quality {
  const char* name;
  int64_t iterations;
};
constexpr std::array kQualities{
    Quality{"light", 50}, Quality{"default", 200}, Quality{"best", 1000}};

const Quality& quality_of(const std::string& name) {
  for (const Quality& quality : kQualities) {
    if (name == quality.name) {
      return quality;
    }
  }
  return kQualities[1];
}

constexpr int64_t kManyIterations = 1000;
constexpr int kFewBits = 3;

std::vector<Option> step_options() {
  return {
      {.name = "quality",
       .fallback = "default",
       .words = {"light", "default", "best"},
       .example = "quality: best",
       .description = "How long each block is tuned: 50, 200 or 1000 iterations. Goes with 128, "
                      "128 and 512 samples. `iterations` overrides it."},
      {.name = "iterations",
       .type = OptionType::Int,
       .minimum = 0,
       .maximum = 100000,
       .example = "iterations: 200",
       .description = "Steps that tune the rounding of each block on data. 0: round to nearest, "
                      "without data. Unset: as `quality` says."},
      {.name = "batch_size",
       .type = OptionType::Int,
       .fallback = "8",
       .minimum = 1,
       .maximum = 4096,
       .description = "Samples that a gradient is made of."},
      {.name = "gradient_accumulation",
       .type = OptionType::Int,
       .fallback = "1",
       .minimum = 1,
       .maximum = 4096,
       .description = "Batches whose gradients are added before a step."},
      {.name = "learning_rate",
       .type = OptionType::Float,
       .minimum = 0,
       .above_minimum = true,
       .example = "learning_rate: 0.005",
       .description = "Size of the first step of the rounding; it falls to 0 linearly. Unset: "
                      "0.7 ÷ iterations (in auto-round: 1 ÷ iterations); twice that from 1000 "
                      "iterations on with 3 bits and fewer."},
      {.name = "minmax_learning_rate",
       .type = OptionType::Float,
       .minimum = 0,
       .above_minimum = true,
       .example = "minmax_learning_rate: 0.005",
       .description = "The same of the factors of each group's range. Unset: a fifth of "
                      "learning_rate (in auto-round: the same)."},
      {.name = "loss",
       .fallback = "relative",
       .words = {"relative", "absolute"},
       .description = "What is made least: the error of a block's output, of each token relative "
                      "to its size, or as it is (auto-round)."},
      {.name = "early_stopping",
       .type = OptionType::Int,
       .fallback = "0",
       .minimum = 0,
       .description = "Iterations without a lower loss after which a block ends. 0: never."},
  };
}

std::vector<Option> behaviour_options() {
  return {
      {.name = "quantized_input",
       .type = OptionType::Bool,
       .fallback = "true",
       .description = "Blocks are tuned on what the quantized blocks before them give, and so "
                      "make up for their errors; false: on what the model as it was gives."},
      {.name = "scale_search",
       .type = OptionType::Bool,
       .example = "scale_search: false",
       .description = "Symmetric integers begin with the scale that makes the error of the weights "
                      "least, weighted with the mean square of their inputs, and may leave it. "
                      "Unset: where there are iterations; given for other schemes: an error."},
      {.name = "on_failure",
       .fallback = "stop",
       .words = {"stop", "round_to_nearest"},
       .description = "What happens to a block whose loss is not finite."},
      {.name = "unseen",
       .fallback = "stop",
       .words = {"stop", "round_to_nearest", "keep"},
       .description = "What becomes of modules that no calibration sample goes through: the run "
                      "stops, they are rounded to nearest, or stay in floating point."},
  };
}

}  // namespace

double SignRoundOptions::rate_of(int bits) const {
  if (learning_rate > 0) {
    return learning_rate;
  }
  const double rate = 0.7 / static_cast<double>(iterations);
  return iterations >= kManyIterations && bits <= kFewBits ? 2 * rate : rate;
}

double SignRoundOptions::range_rate_of(int bits) const {
  constexpr double kShare = 0.2;  // see the ablation in README.md
  return minmax_learning_rate > 0 ? minmax_learning_rate : kShare * rate_of(bits);
}

std::vector<Option> tuning_options() {
  std::vector<Option> options = step_options();
  for (Option& option : behaviour_options()) {
    options.push_back(std::move(option));
  }
  return options;
}

SignRoundOptions read_tuning(const recipes::OptionValues& options) {
  const Quality& quality = quality_of(options.text("quality"));
  SignRoundOptions tuning;
  tuning.iterations =
      options.has("iterations") ? options.integer("iterations") : quality.iterations;
  if (options.has("learning_rate")) {
    tuning.learning_rate = options.number("learning_rate");
  }
  tuning.loss = options.text("loss") == "absolute" ? LossKind::Absolute : LossKind::Relative;
  if (options.has("minmax_learning_rate")) {
    tuning.minmax_learning_rate = options.number("minmax_learning_rate");
  }
  tuning.batch_size = static_cast<size_t>(options.integer("batch_size"));
  tuning.gradient_accumulation = static_cast<size_t>(options.integer("gradient_accumulation"));
  tuning.early_stopping = options.integer("early_stopping");
  tuning.quantized_input = options.boolean("quantized_input");
  tuning.scale_search =
      options.has("scale_search") ? options.boolean("scale_search") : tuning.iterations > 0;
  tuning.round_failures = options.text("on_failure") == "round_to_nearest";
  tuning.unseen = options.text("unseen") == "keep"               ? Unseen::Keep
                  : options.text("unseen") == "round_to_nearest" ? Unseen::RoundToNearest
                                                                 : Unseen::Stop;
  return tuning;
}

}  // namespace oneshot
