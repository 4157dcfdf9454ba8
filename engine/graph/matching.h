// Patterns of a recipe against the modules of a model. Regular expressions are RE2.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/graph/names.h"

namespace oneshot {

/// A module class ("Linear"), an exact name, or "re:" and a regular expression that is matched from
/// the start of the name and open at its end.
struct Pattern {
  std::string text;
  std::string where;  // for messages: "recipe.yaml:7:14"
};

/// What a modifier was told to work on.
struct Selection {
  std::optional<std::vector<Pattern>> targets;  // absent: the modifier's default
  std::vector<Pattern> ignore;
  std::vector<Pattern> fp_layers;  // parts of names; a number is never cut in two
  bool allow_unmatched = false;
};

/// What became of one module: selected, and by which rule, as a short text for people.
struct Choice {
  bool selected = false;
  bool targeted = false;  // a target fits it, whatever ignore and fp_layers say
  std::string rule;
};

/// True when `pattern` fits the module under one of its names, or is its class.
/// A class is fitted by modules of that kind.
bool matches(const std::string& pattern, const ModuleInfo& module);

/// Who uses a pattern, for messages: "sign_round", "layers"; and whether it may fit nothing.
struct PatternUse {
  std::string modifier, key;
  bool allow_unmatched = false;
};

/// Which modules a pattern fits, targeted or not. Throws Recipe when it fits none, naming the
/// nearest ones, and for the exact name of a part that holds modules.
std::vector<bool> modules_fitted(const PatternUse& use,
                                 const Pattern& pattern,
                                 std::span<const ModuleInfo> modules);

/// True when the name contains `part` and no digit of it continues outside: layers.1 is not in
/// layers.12.
bool contains_part(const std::string& name, const std::string& part);

/// One choice a module, in their order. Only Linears can be selected.
/// `modifier` names the modifier in messages. Throws Recipe for a pattern that fits no module,
/// naming the nearest ones; Unsupported for an exact target that is no Linear, or is tied.
std::vector<Choice> select(const std::string& modifier,
                           const Selection& selection,
                           std::span<const ModuleInfo> modules);

/// One line for each pattern of the selection that fits no module, for `allow_unmatched`, beginning
/// with its place: "recipe.yaml:7:14: quantize: ignore 'lm_haed' matches no module".
std::vector<std::string> unmatched_patterns(const std::string& modifier,
                                            const Selection& selection,
                                            std::span<const ModuleInfo> modules);

}  // namespace oneshot
