#include "modifiers/sign_round/sign_round_modifier.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/graph/block_names.h"
#include "modifiers/sign_round/block_tuner.h"
#include "modifiers/sign_round/round_to_nearest.h"
#include "modifiers/sign_round/sign_round_options.h"
#include "recipes/layer_schemes.h"

namespace oneshot {
namespace {

/// What the recipe says of modules and their schemes.
struct SignRoundTargets {
  Scheme scheme;
  std::vector<recipes::LayerScheme> layers;  // modules with another scheme
  Selection selection;
  bool quantize_vision = false;  // the default targets: vision blocks too
};

class SignRound : public Modifier {
 public:
  SignRound(SignRoundTargets targets, const SignRoundOptions& options)
      : targets_(std::move(targets)), options_(options) {}

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
    std::vector<Choice> choices = builder.select(targets_.selection);
    for (size_t m = 0; m < choices.size(); ++m) {
      if (!targets_.selection.targets) {
        keep_to_blocks(builder.modules()[m].name, choices[m]);
      }
    }
    const std::vector<const Scheme*> schemes = schemes_of(builder, choices);
    for (size_t m = 0; m < choices.size(); ++m) {
      if (choices[m].selected) {
        builder.quantize(m, *schemes[m], choices[m], targets_.selection);
      } else {
        builder.leave(m, choices[m]);
      }
    }
  }

  TunedBlock tune(const TunableBlock& block) const override { return tune_block(block, options_); }

  QuantizedWeight quantize(const Rows& rows, const Statistics&) const override {
    auto weight = sign_round::round_to_nearest(*rows.module.scheme, rows.values);
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
    if (list && (list->kind == BlockKind::Language || (vision && targets_.quantize_vision))) {
      choice.rule = vision ? "Linear of a vision block" : "Linear of a language block";
      return;
    }
    choice.selected = choice.targeted = false;
    choice.rule = vision ? "is in a vision block; `quantize_vision: true` adds it"
                         : "is in no block; `targets` adds it";
  }

  /// The scheme of each module that is selected: its `layers` entry's, else the common one. The
  /// rule of the choice says which entry.
  std::vector<const Scheme*> schemes_of(PlanBuilder& builder, std::vector<Choice>& choices) const {
    std::vector<const Scheme*> schemes(choices.size(), &targets_.scheme);
    std::vector<const recipes::LayerScheme*> layer_of(choices.size());
    for (const recipes::LayerScheme& layer : targets_.layers) {
      const bool allow = targets_.selection.allow_unmatched;
      const std::vector<bool> fits = builder.fits("layers", layer.pattern, allow);
      bool used = false;
      for (size_t m = 0; m < choices.size(); ++m) {
        if (!fits[m] || !choices[m].selected) {
          continue;
        }
        if (layer_of[m] != nullptr) {
          refuse(layer,
                 "and '" + layer_of[m]->pattern.text + "' both fit " + builder.modules()[m].name +
                     "; narrow one of them");
        }
        used = true;
        layer_of[m] = &layer;
        schemes[m] = &layer.scheme;
        choices[m].rule += ", layers '" + layer.pattern.text + "'";
      }
      if (!used && !allow) {
        refuse(layer, "fits no module that is quantized; look at targets, ignore and fp_layers");
      }
    }
    return schemes;
  }

  [[noreturn]] static void refuse(const recipes::LayerScheme& layer, const std::string& reason) {
    throw Error(
        ErrorCode::Recipe,
        layer.pattern.where + ": sign_round: layers '" + layer.pattern.text + "' " + reason);
  }

  SignRoundTargets targets_;
  SignRoundOptions options_;
};

/// Integers alone, and MXFP4; with float16 scales, which are SignRound's own.
Scheme checked(Scheme scheme, const std::string& where) {
  QuantArgs& weights = scheme.weights;
  const bool by_row = weights.strategy == Strategy::Group || weights.strategy == Strategy::Channel;
  const bool integers = weights.type == NumberType::Int && by_row && weights.observer != "mse" &&
                        !scheme.input_activations;
  if (!integers && !(weights.is_mx() && weights.bits == 4)) {
    throw Error(ErrorCode::Unsupported,
                where + ": sign_round: has no scheme " + scheme.name + " (" + describe(scheme) +
                    "); it takes integer weights in groups or whole rows with observer minmax, "
                    "and MXFP4; `quantize` takes the others");
  }
  if (integers) {
    weights.scale_dtype = ScaleDtype::F16;
  }
  return scheme;
}

SignRoundTargets read_targets(const recipes::OptionValues& options) {
  SignRoundTargets read;
  read.scheme = checked(recipes::read_scheme(options, "sign_round"), options.where("scheme"));
  read.layers = recipes::read_layers(options, "sign_round", read.scheme);
  for (recipes::LayerScheme& layer : read.layers) {
    layer.scheme = checked(layer.scheme, layer.pattern.where);
  }
  read.selection = recipes::read_selection(options);
  read.quantize_vision = options.boolean("quantize_vision");
  return read;
}

void check_scale_search(const Scheme& scheme, const std::string& where) {
  if (!scheme.weights.symmetric || scheme.weights.is_mx()) {
    throw Error(ErrorCode::Recipe,
                where + ": sign_round: scale_search is for symmetric integers, not for " +
                    describe(scheme) + "; leave it out");
  }
}

}  // namespace

std::vector<recipes::Option> sign_round_options() {
  std::vector<recipes::Option> options = recipes::quantizing_options();
  options.push_back(recipes::layers_option());
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
  SignRoundTargets targets = read_targets(options);
  const SignRoundOptions tuning = read_tuning(options);
  if (tuning.tunes() && !recipe.calibration) {
    throw Error(ErrorCode::Recipe,
                options.where("iterations") +
                    ": sign_round: tunes the rounding on data: the recipe needs `calibration:`, "
                    "or `iterations: 0` to round to nearest without");
  }
  if (tuning.scale_search && options.has("scale_search")) {
    check_scale_search(targets.scheme, options.where("scale_search"));
    for (const recipes::LayerScheme& layer : targets.layers) {
      check_scale_search(layer.scheme, layer.pattern.where);
    }
  }
  return std::make_unique<SignRound>(std::move(targets), tuning);
}

}  // namespace oneshot
