#include "recipes/quantizing_options.h"

namespace oneshot::recipes {
namespace {

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    names.push_back(preset.scheme.name);
  }
  return names;
}

/// What weights and activations share.
std::vector<Option> tensor_options(std::vector<std::string> strategies, double least_group_size) {
  return {
      {.name = "bits",
       .type = OptionType::Int,
       .required = true,
       .minimum = 2,
       .maximum = 8,
       .example = "bits: 4",
       .description = "Bits of a code."},
      {.name = "type",
       .fallback = "int",
       .words = {"int", "float"},
       .spelling = Spelling::AnyCase,
       .description = "Kind of number: int, or float with 8 bits."},
      {.name = "strategy",
       .words = std::move(strategies),
       .spelling = Spelling::AnyCase,
       .example = "strategy: group",
       .description = "What shares one scale. Unset: what the other options say; token for dynamic "
                      "scales, else tensor."},
      {.name = "group_size",
       .type = OptionType::Int,
       .minimum = least_group_size,
       .example = "group_size: 128",
       .description = "Columns that share a scale; for weights -1: a whole row."},
      {.name = "symmetric",
       .type = OptionType::Bool,
       .fallback = "true",
       .description = "false: with zero points."},
      {.name = "dynamic",
       .type = OptionType::Bool,
       .fallback = "false",
       .description = "Scales computed at run time; for activations."},
      {.name = "observer",
       .words = {"minmax", "moving_average", "mse", "percentile"},
       .spelling = Spelling::AnyCase,
       .example = "observer: minmax",
       .description =
           "How the range is measured. minmax: smallest and largest value. moving_average: of the "
           "samples' smallest and largest values. mse: the range that loses least. percentile, "
           "for activations: without the 0.01 percent of values farthest from zero. Unset: "
           "minmax; none for dynamic scales."},
  };
}

std::vector<Option> weight_options() {
  std::vector<Option> options = tensor_options({"tensor", "channel", "group", "block"}, -1);
  options.push_back({.name = "block_structure",
                     .type = OptionType::IntPair,
                     .minimum = 1,
                     .example = "block_structure: [128, 128]",
                     .description = "Rows and columns that share a scale: strategy block."});
  return options;
}

std::vector<Option> scheme_options() {
  return {
      {.name = "weights",
       .type = OptionType::Mapping,
       .required = true,
       .fields = weight_options(),
       .example = "weights: {bits: 4, group_size: 128}",
       .description = "How weights are quantized."},
      {.name = "input_activations",
       .type = OptionType::Mapping,
       .fields = tensor_options({"tensor", "token", "group"}, 1),
       .example = "input_activations: {bits: 8, dynamic: true}",
       .description = "How the inputs of a module are quantized. Absent: not at all."},
  };
}

std::vector<Pattern> patterns(const OptionValues& options, const std::string& name) {
  std::vector<Pattern> all;
  for (const TextValue& item : options.value(name).texts) {
    all.push_back({item.text, item.where});
  }
  return all;
}

}  // namespace

std::vector<Option> quantizing_options() {
  return {
      {.name = "scheme",
       .type = OptionType::TextOrMapping,
       .required = true,
       .words = preset_names(),
       .spelling = Spelling::AnyCase,
       .fields = scheme_options(),
       .example = "scheme: W4A16",
       .description = "A preset, or a mapping with weights and, if they are quantized too, "
                      "input_activations."},
      {.name = "group_size",
       .type = OptionType::Int,
       .minimum = -1,
       .example = "group_size: 32",
       .description =
           "Overrides the group size of a preset with integer weights: columns that share "
           "a scale; -1: a whole row."},
      {.name = "symmetric",
       .type = OptionType::Bool,
       .example = "symmetric: false",
       .description = "Overrides the preset for integer weights: false, with zero points."},
      {.name = "scale_dtype",
       .fallback = "auto",
       .words = {"auto", "float16"},
       .description =
           "In which dtype scales of weights are kept. auto: the modifier's own. float16 "
           "is what auto_round, auto_gptq and auto_awq need."},
      {.name = "targets",
       .type = OptionType::Patterns,
       .minimum = 1,
       .example = "targets: [Linear]",
       .description =
           "What to quantize: a module class, an exact name, or re:REGEX matched from the "
           "start of the full name. Unset: the modifier's default."},
      {.name = "ignore",
       .type = OptionType::Patterns,
       .fallback = "[]",
       .example = "ignore: [lm_head, 're:vision_model.*']",
       .description = "What to leave of the targets; patterns as in targets."},
      {.name = "fp_layers",
       .type = OptionType::Patterns,
       .fallback = "[]",
       .example = "fp_layers: [layers.0.mlp]",
       .description =
           "Kept in floating point: modules whose name contains one of these; a number is "
           "never cut in two."},
      {.name = "allow_unmatched",
       .type = OptionType::Bool,
       .fallback = "false",
       .description = "Go on when a pattern matches no module."},
  };
}

std::vector<Option> observer_options() {
  return {
      {.name = "weight_observer",
       .words = {"minmax", "mse"},
       .spelling = Spelling::AnyCase,
       .example = "weight_observer: mse",
       .description = "Overrides how a preset measures the range of weights; as `observer` in a "
                      "scheme."},
      {.name = "input_observer",
       .words = {"minmax", "moving_average", "mse", "percentile"},
       .spelling = Spelling::AnyCase,
       .example = "input_observer: percentile",
       .description = "Overrides how a preset with static activations measures their range; as "
                      "`observer` in a scheme."},
  };
}

Selection read_selection(const OptionValues& options) {
  Selection selection;
  if (options.has("targets")) {
    selection.targets = patterns(options, "targets");
  }
  selection.ignore = patterns(options, "ignore");
  selection.fp_layers = patterns(options, "fp_layers");
  selection.allow_unmatched = options.boolean("allow_unmatched");
  return selection;
}

}  // namespace oneshot::recipes
