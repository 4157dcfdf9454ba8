#include "modifiers/sign_round/sign_round_modifier.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/graph/block_names.h"
#include "modifiers/sign_round/block_tuner.h"
#include "modifiers/sign_round/round_to_nearest.h"
#include "modifiers/sign_round/sign_round_options.h"
#include "recipes/quantizing_options.h"

namespace oneshot {
namespace {

class SignRound : public Modifier {
 public:
  SignRound(Scheme scheme,
            Selection selection,
            bool quantize_vision,
            const SignRoundOptions& options)
      : scheme_(std::move(scheme)),
        selection_(std::move(selection)),
        quantize_vision_(quantize_vision),
        options_(options) {}

  std::string name() const override { return "sign_round"; }
  Traits traits() const override {
    return {.quantizes = true,
            .needs_calibration = options_.tunes(),
            .tunes = options_.tunes(),
            .quantized_input = options_.quantized_input,
            .unseen = options_.unseen,
            .batch_samples = options_.batch_size,
            .step_samples = options_.batch_size * options_.gradient_accumulation};
  }

  void plan(PlanBuilder& builder) const override {
    std::vector<Choice> choices = builder.select(selection_);
    for (size_t m = 0; m < choices.size(); ++m) {
      if (!selection_.targets) {
        keep_to_blocks(builder.modules()[m].name, choices[m]);
      }
      if (choices[m].selected) {
        builder.quantize(m, scheme_, choices[m], selection_);
      } else {
        builder.leave(m, choices[m]);
      }
    }
  }

  TunedBlock tune(const TunableBlock& block) const override { return tune_block(block, options_); }

  QuantizedWeight quantize(const Rows& rows, const Statistics&) const override {
    auto weight = sign_round::round_to_nearest(scheme_, rows.values);
    if (!weight) {
      refuse_not_finite(rows);
    }
    return *std::move(weight);
  }

 private:
  /// The default targets: Linears of the language blocks, and of the vision blocks when asked for.
  void keep_to_blocks(const std::string& module, Choice& choice) const {
    if (!choice.selected) {
      return;
    }
    const std::optional<BlockList> list = block_list_of(module);
    const bool vision = list && list->kind == BlockKind::Vision;
    if (list && (list->kind == BlockKind::Language || (vision && quantize_vision_))) {
      choice.rule = vision ? "Linear of a vision block" : "Linear of a language block";
      return;
    }
    choice.selected = choice.targeted = false;
    choice.rule = vision ? "is in a vision block; `quantize_vision: true` adds it"
                         : "is in no block; `targets` adds it";
  }

  Scheme scheme_;
  Selection selection_;
  bool quantize_vision_;
  SignRoundOptions options_;
};

/// Integers alone, and MXFP4; with float16 scales, which are SignRound's own.
Scheme read_scheme(const recipes::OptionValues& options) {
  Scheme scheme = recipes::read_scheme(options, "sign_round");
  QuantArgs& weights = scheme.weights;
  const bool by_row = weights.strategy == Strategy::Group || weights.strategy == Strategy::Channel;
  const bool integers = weights.type == NumberType::Int && by_row && weights.observer != "mse" &&
                        !scheme.input_activations;
  if (!integers && !(weights.is_mx() && weights.bits == 4)) {
    throw Error(ErrorCode::Unsupported,
                options.where("scheme") + ": sign_round: has no scheme " + scheme.name + " (" +
                    describe(scheme) +
                    "); it takes integer weights in groups or whole rows with observer minmax, "
                    "and MXFP4; `quantize` takes the others");
  }
  if (integers) {
    weights.scale_dtype = ScaleDtype::F16;
  }
  return scheme;
}

}  // namespace

std::vector<recipes::Option> sign_round_options() {
  std::vector<recipes::Option> options = recipes::quantizing_options();
  options.push_back({.name = "quantize_vision",
                     .type = recipes::OptionType::Bool,
                     .fallback = "false",
                     .description = "Without `targets`: the Linears of the vision blocks too."});
  for (recipes::Option& option : tuning_options()) {
    options.push_back(std::move(option));
  }
  return options;
}

std::unique_ptr<Modifier> make_sign_round(const recipes::ModifierEntry& entry,
                                          const recipes::Recipe& recipe) {
  const recipes::OptionValues& options = entry.options;
  Scheme scheme = read_scheme(options);
  const SignRoundOptions tuning = read_tuning(options);
  if (tuning.tunes() && !recipe.calibration) {
    throw Error(ErrorCode::Recipe,
                options.where("iterations") +
                    ": sign_round: tunes the rounding on data: the recipe needs `calibration:`, "
                    "or `iterations: 0` to round to nearest without");
  }
  if (tuning.scale_search && (!scheme.weights.symmetric || scheme.weights.is_mx())) {
    throw Error(ErrorCode::Recipe,
                options.where("scale_search") +
                    ": sign_round: scale_search is for symmetric integers; leave it out with " +
                    scheme.name);
  }
  return std::make_unique<SignRound>(std::move(scheme),
                                     recipes::read_selection(options),
                                     options.boolean("quantize_vision"),
                                     tuning);
}

}  // namespace oneshot
