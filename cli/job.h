// From a recipe file to a job of the engine.
#pragma once

#include "cli/commands.h"
#include "engine/oneshot.h"
#include "recipes/recipe.h"

namespace oneshot::cli {

/// Reads and checks the recipe, with its overrides. throws Recipe
recipes::Recipe read_recipe(const RecipeArguments& arguments);

/// The modifiers and formats that the recipe names.
/// throws Recipe, or Unsupported for what the language knows and the engine cannot do yet.
Job make_job(const recipes::Recipe& recipe);

/// Every format that is built in: those that a checkpoint may be in.
std::vector<std::unique_ptr<Format>> all_formats();

/// throws Unsupported for a device that is not here.
void check_device(const std::string& device);

/// The number of threads to use: what was asked for, else one for each processor this process may
/// use.
int thread_count(int asked);

}  // namespace oneshot::cli
