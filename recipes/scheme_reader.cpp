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

std::string read_observer(const Reading& reading, bool dynamic, const std::string& minmax) {
  const bool given = reading.options.has("observer");
  if (dynamic && given) {
    reading.refuse("observer", "'observer' does not go with dynamic: true, nothing is measured");
  }
  if (given && reading.options.text("observer") != "minmax") {
    const std::string word = in_quotes(reading.options.text("observer"));
    reading.refuse("observer",
                   "observer " + word + " is not supported yet: write minmax",
                   ErrorCode::Unsupported);
  }
  return dynamic ? "" : minmax;
}

/// What weights and activations have in common.
QuantArgs read_args(const Reading& reading, const std::string& minmax, bool has_blocks) {
  const OptionValues& options = reading.options;
  check_group_size(reading);
  const bool dynamic = options.boolean("dynamic");
  QuantArgs args{.bits = static_cast<int>(options.integer("bits")),
                 .type = options.text("type") == "int" ? NumberType::Int : NumberType::Float,
                 .strategy = infer_strategy(options, dynamic, has_blocks),
                 .symmetric = options.boolean("symmetric"),
                 .dynamic = dynamic ? Dynamic::Yes : Dynamic::No,
                 .observer = read_observer(reading, dynamic, minmax)};
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
  return args;
}

void check_valid(const Reading& reading, const QuantArgs& args) {
  if (const auto reason = invalid(args)) {
    fail(reading.options.where(), reading.prefix + *reason);
  }
}

QuantArgs read_weights(const Reading& reading) {
  const bool has_blocks = reading.options.has("block_structure");
  QuantArgs args = read_args(reading, "memoryless_minmax", has_blocks);
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
    scheme.input_activations = read_args(inputs, "static_minmax", false);
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

}  // namespace oneshot::recipes
