#include "recipes/layer_schemes.h"

#include <algorithm>

#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

/// The preset of these weights, whatever the dtype of their scales; else "custom".
std::string name_of(const Scheme& scheme) {
  const auto same = std::find_if(presets().begin(), presets().end(), [&](const Preset& preset) {
    QuantArgs weights = preset.scheme.weights;
    weights.scale_dtype = scheme.weights.scale_dtype;
    return weights == scheme.weights && preset.scheme.input_activations == scheme.input_activations;
  });
  return same == presets().end() ? "custom" : same->scheme.name;
}

void set_group_size(QuantArgs& args, int64_t group_size) {
  args.strategy = group_size > 0 ? Strategy::Group : Strategy::Channel;
  args.group_size = group_size > 0 ? group_size : 0;
}

Scheme read_layer(const OptionValues& options, const std::string& prefix, const Scheme& outer) {
  Scheme scheme = options.has("scheme") ? *find_preset(options.text("scheme")) : outer;
  for (const char* option : {"bits", "group_size", "symmetric"}) {
    if (options.has(option) && scheme.weights.type != NumberType::Int) {
      fail(options.where(option),
           prefix + "'" + option + "' does not go with " + scheme.name +
               ": it is for integer weights");
    }
  }
  if (options.has("bits")) {
    scheme.weights.bits = static_cast<int>(options.integer("bits"));
  }
  if (options.has("group_size")) {
    if (options.integer("group_size") == 0) {
      fail(options.where("group_size"),
           prefix + "'group_size' must be above 0, or -1 for a whole row, found '0'");
    }
    set_group_size(scheme.weights, options.integer("group_size"));
  }
  if (options.has("symmetric")) {
    scheme.weights.symmetric = options.boolean("symmetric");
  }
  scheme.name = name_of(scheme);
  return scheme;
}

}  // namespace

Option layers_option() {
  std::vector<std::string> words;
  for (const Preset& preset : presets()) {
    words.push_back(preset.scheme.name);
  }
  return {.name = "layers",
          .type = OptionType::ByPattern,
          .fields = {{.name = "bits",
                      .type = OptionType::Int,
                      .minimum = 2,
                      .maximum = 8,
                      .example = "bits: 8",
                      .description = "Bits of a code."},
                     {.name = "group_size",
                      .type = OptionType::Int,
                      .minimum = -1,
                      .example = "group_size: 32",
                      .description = "Columns that share a scale; -1: a whole row."},
                     {.name = "symmetric",
                      .type = OptionType::Bool,
                      .example = "symmetric: false",
                      .description = "false: with zero points."},
                     {.name = "scheme",
                      .words = std::move(words),
                      .spelling = Spelling::AnyCase,
                      .example = "scheme: W8A16",
                      .description = "A preset, in place of the modifier's scheme."}},
          .example = "layers: {'re:.*down_proj': {bits: 8}}",
          .description =
              "Modules that get another scheme than the rest: patterns as in targets, "
              "each with what differs. No module may fit two."};
}

std::vector<LayerScheme> read_layers(const OptionValues& options,
                                     const std::string& modifier,
                                     const Scheme& outer) {
  std::vector<LayerScheme> layers;
  if (!options.has("layers")) {
    return layers;
  }
  const OptionValue& value = options.value("layers");
  for (size_t i = 0; i < value.texts.size(); ++i) {
    const TextValue& pattern = value.texts[i];
    const std::string prefix = modifier + ".layers." + pattern.text + ": ";
    layers.push_back({{pattern.text, pattern.where}, read_layer(value.mappings[i], prefix, outer)});
  }
  return layers;
}

}  // namespace oneshot::recipes
