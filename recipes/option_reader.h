// From a YAML tree to checked values, by the tables.
#pragma once

#include <memory>

#include "recipes/option.h"
#include "recipes/option_text.h"
#include "recipes/yaml_document.h"

namespace oneshot::recipes {

/// Checks `mapping` against `table->fields`: names, types, ranges, words, patterns, and fills in
/// the defaults. Throws Recipe at the first thing wrong.
OptionValues read_options(const YamlNode& mapping,
                          const std::shared_ptr<const Option>& table,
                          const Folders& folders);

}  // namespace oneshot::recipes
