// From a recipe file to a job of the engine.
#pragma once

#include <optional>

#include "cli/commands.h"
#include "engine/calibration/calibration_data.h"
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

/// The `calibration:` of a recipe, as the engine needs it; nothing when it has none.
std::optional<CalibrationRequest> calibration_request(const recipes::Recipe& recipe);

/// throws Unsupported for a device that is not here.
void check_device(const std::string& device);

/// The number of threads to use: what was asked for, else one for each processor this process may
/// use.
int thread_count(int asked);

}  // namespace oneshot::cli
