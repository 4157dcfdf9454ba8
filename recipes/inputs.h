// The data that a recipe names, looked for on the disk without being opened.
#pragma once

#include <string>
#include <vector>

#include "recipes/recipe.h"

namespace oneshot::recipes {

/// One message for each file or folder that the recipe names and that is not there, beginning with
/// its place in the recipe.
std::vector<std::string> missing_inputs(const Recipe& recipe);

}  // namespace oneshot::recipes
