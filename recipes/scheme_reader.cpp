#include "recipes/quantizing_options.h"
#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

/// One side of a custom scheme, or the overrides beside a preset: whose messages begin with
/// "quantize.scheme.weights: ".
struct Reading {
  const OptionValues& options;
  std::string prefix;

  [[noreturn]] void refuse(const std::string& option,
                           const std::string& message,
                           ErrorCode code = ErrorCode::Recipe) const {
    fail(options.where(option), prefix + message, code);
  }
};

Strategy strategy_from(const std::string& word) {
  return word == "tensor"    ? Strategy::Tensor
         : word == "channel" ? Strategy::Channel
         : word == "group"   ? Strategy::Group
         : word == "block"   ? Strategy::Block
                             : Strategy::Token;
}

Strategy infer_strategy(const OptionValues& options, bool dynamic, bool has_blocks) {
  if (options.has("strategy")) {
    return strategy_from(options.text("strategy"));
  }
  if (has_blocks) {
    return Strategy::Block;
  }
  if (options.has("group_size")) {
    return options.integer("group_size") > 0 ? Strategy::Group : Strategy::Channel;
  }
  return dynamic ? Strategy::Token : Strategy::Tensor;
}

void check_group_size(const Reading& reading) {
  if (reading.options.has("group_size") && reading.options.integer("group_size") == 0) {
    reading.refuse("group_size", "'group_size' must be above 0, or -1 for a whole row, found '0'");
  }
}

/// What a config calls an observer of weights, which each see one tensor once, or of activations.
std::string observer_name(const std::string& word, bool of_weights) {
  if (word == "mse" || word == "percentile") {
    return word;
  }
  if (of_weights) {
    return "memoryless_minmax";
  }
  return word == "moving_average" ? "minmax" : "static_minmax";
}

std::string read_observer(const Reading& reading, bool dynamic, bool of_weights) {
  const bool given = reading.options.has("observer");
  if (dynamic && given) {
    reading.refuse("observer", "'observer' does not go with dynamic: true, nothing is measured");
  }
  if (dynamic) {
    return "";
  }
  return observer_name(given ? reading.options.text("observer") : "minmax", of_weights);
}

/// Whether the observer of one side can measure what that side asks for. option: that named it.
void check_observer(const Reading& reading,
                    const std::string& option,
                    const QuantArgs& args,
                    bool of_weights) {
  if (of_weights && args.observer == "percentile") {
    reading.refuse(option, "observer percentile is for activations: write minmax or mse");
  }
  if (of_weights && args.observer == "mse" && args.strategy != Strategy::Channel &&
      args.strategy != Strategy::Group) {
    reading.refuse(option,
                   "observer mse is there for weights with strategy channel or group only",
                   ErrorCode::Unsupported);
  }
  if (!of_weights && args.observer == "mse" && args.has_global_scale()) {
    reading.refuse(
        option, "observer mse is not there for activations in NVFP4", ErrorCode::Unsupported);
  }
}

/// What weights and activations have in common.
QuantArgs read_args(const Reading& reading, bool of_weights, bool has_blocks) {
  const OptionValues& options = reading.options;
  check_group_size(reading);
  const bool dynamic = options.boolean("dynamic");
  QuantArgs args{.bits = static_cast<int>(options.integer("bits")),
                 .type = options.text("type") == "int" ? NumberType::Int : NumberType::Float,
                 .strategy = infer_strategy(options, dynamic, has_blocks),
                 .symmetric = options.boolean("symmetric"),
                 .dynamic = dynamic ? Dynamic::Yes : Dynamic::No,
                 .observer = read_observer(reading, dynamic, of_weights)};
  if (args.type == NumberType::Float && args.bits == 4) {
    reading.refuse("bits", "floats of 4 bits: use the presets NVFP4A16, MXFP4A16");
  }
  if (options.has("group_size")) {
    args.group_size = options.integer("group_size");
  }
  if (args.group_size == -1) {
    if (args.strategy != Strategy::Channel) {
      reading.refuse("group_size", "'group_size' -1 goes with strategy channel only");
    }
    args.group_size = 0;
  }
  if (!of_weights && !dynamic && args.strategy == Strategy::Group) {
    reading.refuse("group_size",
                   "static scales of activations go with strategy tensor only: write "
                   "dynamic: true");
  }
  check_observer(reading, "observer", args, of_weights);
  return args;
}

void check_valid(const Reading& reading, const QuantArgs& args) {
  if (const auto reason = invalid(args)) {
    fail(reading.options.where(), reading.prefix + *reason);
  }
}

QuantArgs read_weights(const Reading& reading) {
  const bool has_blocks = reading.options.has("block_structure");
  QuantArgs args = read_args(reading, true, has_blocks);
  if (has_blocks) {
    args.block_rows = reading.options.integers("block_structure")[0];
    args.block_columns = reading.options.integers("block_structure")[1];
  }
  if (args.dynamic != Dynamic::No) {
    reading.refuse("dynamic", "'dynamic' is for activations, weights do not change");
  }
  check_valid(reading, args);
  return args;
}

Scheme custom_scheme(const OptionValues& options, const std::string& modifier) {
  const Reading weights{options.mapping("weights"), modifier + ".scheme.weights: "};
  Scheme scheme{.name = "custom", .weights = read_weights(weights)};
  if (options.has("input_activations")) {
    const Reading inputs{options.mapping("input_activations"),
                         modifier + ".scheme.input_activations: "};
    scheme.input_activations = read_args(inputs, false, false);
    check_valid(inputs, *scheme.input_activations);
  }
  return scheme;
}

void override_group_size(Scheme& scheme, const Reading& reading) {
  check_group_size(reading);
  if (scheme.weights.type != NumberType::Int) {
    reading.refuse("group_size",
                   "'group_size' does not go with " + scheme.name +
                       ": only integer weights have groups of any size");
  }
  const int64_t group_size = reading.options.integer("group_size");
  scheme.weights.strategy = group_size > 0 ? Strategy::Group : Strategy::Channel;
  scheme.weights.group_size = group_size > 0 ? group_size : 0;
}

void override_symmetric(Scheme& scheme, const Reading& reading) {
  if (scheme.weights.type != NumberType::Int) {
    reading.refuse("symmetric",
                   "'symmetric' does not go with " + scheme.name +
                       ": its weights are floats, which are symmetric");
  }
  scheme.weights.symmetric = reading.options.boolean("symmetric");
}

void override_observer(QuantArgs& args,
                       const Reading& reading,
                       const std::string& option,
                       bool of_weights) {
  args.observer = observer_name(reading.options.text(option), of_weights);
  check_observer(reading, option, args, of_weights);
}

}  // namespace

Scheme read_scheme(const OptionValues& options, const std::string& modifier) {
  const Reading reading{options, modifier + ": "};
  Scheme scheme;
  if (options.is_mapping("scheme")) {
    scheme = custom_scheme(options.mapping("scheme"), modifier);
    for (const char* beside : {"group_size", "symmetric"}) {
      if (options.has(beside)) {
        const std::string name = std::string("'") + beside + "'";
        reading.refuse(beside, name + " overrides a preset: write it inside of 'scheme: weights:'");
      }
    }
  } else {
    scheme = *find_preset(options.text("scheme"));
    if (options.has("group_size")) {
      override_group_size(scheme, reading);
    }
    if (options.has("symmetric")) {
      override_symmetric(scheme, reading);
    }
  }
  if (options.text("scale_dtype") == "float16") {
    if (scheme.weights.scale_dtype != ScaleDtype::Weight) {
      reading.refuse("scale_dtype",
                     "'scale_dtype' does not go with " + scheme.name +
                         ": its scales have a dtype of their own");
    }
    scheme.weights.scale_dtype = ScaleDtype::F16;
  }
  return scheme;
}

void override_observers(const OptionValues& options, const std::string& modifier, Scheme& scheme) {
  const Reading reading{options, modifier + ": "};
  for (const char* option : {"weight_observer", "input_observer"}) {
    if (options.has(option) && options.is_mapping("scheme")) {
      const std::string name = std::string("'") + option + "'";
      reading.refuse(option, name + " overrides a preset: write 'observer' inside of 'scheme:'");
    }
  }
  if (options.has("weight_observer")) {
    override_observer(scheme.weights, reading, "weight_observer", true);
  }
  if (!options.has("input_observer")) {
    return;
  }
  if (!scheme.needs_calibration()) {
    reading.refuse("input_observer",
                   "'input_observer' does not go with " + scheme.name +
                       ": nothing of its activations is measured");
  }
  override_observer(*scheme.input_activations, reading, "input_observer", false);
}

}  // namespace oneshot::recipes
