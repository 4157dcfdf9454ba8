// The tables of everything in a recipe but the modifiers' own options.
#pragma once

#include <span>
#include <string>

#include "recipes/option.h"
#include "recipes/recipe.h"

namespace oneshot::recipes {

/// The table of the whole recipe: its fields are the top-level keys, the fields of `modifiers` are
/// the modifiers given, the words of `output.formats` the formats given.
Option recipe_table(std::span<const ModifierSyntax> modifiers,
                    std::span<const std::string> known_formats);

}  // namespace oneshot::recipes
