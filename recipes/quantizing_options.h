// The options that every quantizing modifier has, and how they become a Scheme and a Selection.
#pragma once

#include <string>
#include <vector>

#include "engine/graph/matching.h"
#include "engine/quant/scheme.h"
#include "recipes/option.h"

namespace oneshot::recipes {

using oneshot::Pattern;
using oneshot::Selection;

/// scheme, group_size, symmetric, scale_dtype, targets, ignore, fp_layers, allow_unmatched.
/// A modifier adds its own behind them.
std::vector<Option> quantizing_options();

/// The scheme of checked options. `group_size`, `symmetric` and `scale_dtype` beside a preset
/// override it; it keeps the preset's name. Strategies that are not written are inferred as by
/// compressed-tensors: a group_size above 0 → group, −1 → channel, block_structure → block, none →
/// tensor, and token for dynamic activations.
/// `modifier` names the modifier in messages. Throws Recipe for what makes no sense, Unsupported
/// for an observer that is not there for the scheme.
Scheme read_scheme(const OptionValues& options, const std::string& modifier);

/// weight_observer and input_observer, of modifiers that measure ranges.
std::vector<Option> observer_options();

/// Checked observer options, over the scheme that was read beside them. Throws as read_scheme.
void override_observers(const OptionValues& options, const std::string& modifier, Scheme& scheme);

/// The patterns of checked options, each with its place in the recipe.
Selection read_selection(const OptionValues& options);

}  // namespace oneshot::recipes
