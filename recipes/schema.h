// What editors and readers get from the option tables.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "recipes/recipe.h"

namespace oneshot::recipes {

/// JSON Schema (draft-07) of the recipe language, with descriptions, defaults and examples.
nlohmann::json recipe_schema(std::span<const ModifierSyntax> modifiers,
                             std::span<const std::string> known_formats);

/// The reference of the recipe language: the text of recipes/schema.md.
std::string recipe_reference(std::span<const ModifierSyntax> modifiers,
                             std::span<const std::string> known_formats);

}  // namespace oneshot::recipes
