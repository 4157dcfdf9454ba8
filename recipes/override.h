// `--set key=value`: changes the tree of a recipe before it is checked.
#pragma once

#include <string>

#include "recipes/yaml_document.h"

namespace oneshot::recipes {

/// Applies "modifiers.0.iterations=10" to the tree: a dotted path, where a number is an index into
/// a list and the options of a modifier follow its index, and a value in YAML. Missing mappings on
/// the way are made; whether the names exist is for the tables to say. Everything new stands at
/// "--set modifiers.0.iterations=10". Throws Recipe when the path leads nowhere.
void apply_override(YamlNode& recipe, const std::string& assignment);

}  // namespace oneshot::recipes
