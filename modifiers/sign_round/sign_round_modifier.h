// `sign_round`: SignRound, the rounding of auto-round. Without iterations it needs no data.
#pragma once

#include "engine/modifier.h"
#include "recipes/recipe.h"

namespace oneshot {

/// The table of its options.
std::vector<recipes::Option> sign_round_options();

/// throws Unsupported for schemes that it does not have, Recipe where it needs `calibration:` and
/// the recipe has none.
std::unique_ptr<Modifier> make_sign_round(const recipes::ModifierEntry& entry,
                                          const recipes::Recipe& recipe);

}  // namespace oneshot
