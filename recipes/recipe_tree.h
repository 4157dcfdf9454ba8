// From the files of a recipe, its own and those that it extends, to one tree in our language.
#pragma once

#include <string>
#include <vector>

#include "recipes/recipe.h"
#include "recipes/yaml_document.h"

namespace oneshot::recipes {

/// The tree of the recipe: read, translated where llm-compressor wrote it, put on top of what it
/// extends, overridden by `--set`. `extends` stands no more in it; every node knows its file.
/// Adds to `warnings` what was translated and what was left out. Throws as parse_recipe.
YamlNode read_tree(const ParseInput& input, std::vector<std::string>& warnings);

}  // namespace oneshot::recipes
