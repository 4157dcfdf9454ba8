// `quantize`: round to nearest, without data.
#pragma once

#include "engine/modifier.h"
#include "recipes/recipe.h"

namespace oneshot {

/// The table of its options.
std::vector<recipes::Option> quantize_options();

/// throws Recipe for a scheme that needs `calibration:` in a recipe that has none, Unsupported
/// where it has.
std::unique_ptr<Modifier> make_quantize(const recipes::ModifierEntry& entry,
                                        const recipes::Recipe& recipe);

}  // namespace oneshot
