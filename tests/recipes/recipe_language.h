// The recipe language that the tests of this room speak: two modifiers and four formats.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/error.h"
#include "recipes/layer_schemes.h"
#include "recipes/recipe.h"

namespace oneshot::recipes {

inline std::vector<ModifierSyntax> test_modifiers() {
  ModifierSyntax sign_round{"sign_round", "Learns the rounding.", quantizing_options()};
  sign_round.options.push_back(layers_option());
  sign_round.options.push_back({.name = "iterations",
                                .type = OptionType::Int,
                                .fallback = "200",
                                .minimum = 0,
                                .example = "iterations: 1000",
                                .description = "Steps for each block."});
  sign_round.options.push_back({.name = "learning_rate",
                                .type = OptionType::Float,
                                .minimum = 0,
                                .above_minimum = true,
                                .example = "learning_rate: 0.005",
                                .description = "Size of a step. Unset: 1 / iterations."});
  sign_round.options.push_back({.name = "quality",
                                .fallback = "default",
                                .words = {"light", "default", "best"},
                                .description = "Speed against accuracy."});
  ModifierSyntax quantize{"quantize", "Rounds to nearest.", quantizing_options()};
  for (const Option& option : observer_options()) {
    quantize.options.push_back(option);
  }
  quantize.options.push_back({.name = "kv_cache_scheme",
                              .words = {"FP8"},
                              .spelling = Spelling::AnyCase,
                              .example = "kv_cache_scheme: FP8",
                              .description = "How keys and values are kept."});
  return {quantize, sign_round};
}

inline std::vector<std::string> test_formats() {
  return {"compressed_tensors", "auto_round", "auto_gptq", "auto_awq"};
}

inline Recipe parse(const std::string& text,
                    const std::vector<std::string>& overrides = {},
                    const std::string& file = "recipe.yaml") {
  return parse_recipe(
      {.text = text, .file = file, .overrides = overrides}, test_modifiers(), test_formats());
}

/// A recipe as far as it can be judged without a model: schemes and patterns too.
inline Recipe parse_whole(const std::string& text,
                          const std::vector<std::string>& overrides = {},
                          const std::string& file = "recipe.yaml") {
  Recipe recipe = parse(text, overrides, file);
  for (const ModifierEntry& modifier : recipe.modifiers) {
    Scheme scheme = read_scheme(modifier.options, modifier.name);
    if (modifier.name == "quantize") {
      override_observers(modifier.options, modifier.name, scheme);
    }
    if (modifier.name == "sign_round") {
      read_layers(modifier.options, modifier.name, scheme);
    }
    read_selection(modifier.options);
  }
  return recipe;
}

/// "2 recipe.yaml:1:1: …": code and message of the Error that `run` throws; "no error" if none.
template <typename Run>
std::string error_of(Run run) {
  try {
    run();
  } catch (const Error& error) {
    return std::to_string(error.exit_code()) + " " + error.what();
  }
  return "no error";
}

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The golden at `path`; with ONESHOT_UPDATE_GOLDENS set, `text` becomes the golden first.
inline std::string golden(const std::string& path, const std::string& text) {
  if (std::getenv("ONESHOT_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
  }
  return read_text(path);
}

}  // namespace oneshot::recipes
