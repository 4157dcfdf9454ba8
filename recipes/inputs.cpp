#include "recipes/inputs.h"

namespace oneshot::recipes {
namespace {

/// Every path below a mapping, in the order of its table.
void collect(const OptionValues& values, std::vector<std::string>& missing) {
  for (const Option& option : values.table()) {
    const OptionValue& value = values.value(option.name);
    for (const TextValue& text : value.texts) {
      std::error_code ignored;
      if (!text.path.empty() && !std::filesystem::exists(text.path, ignored)) {
        missing.push_back(text.where + ": " + option.name + " " + text.path.string() +
                          " is not there");
      }
    }
    for (const OptionValues& below : value.mappings) {
      collect(below, missing);
    }
  }
}

}  // namespace

std::vector<std::string> missing_inputs(const Recipe& recipe) {
  std::vector<std::string> missing;
  collect(recipe.values, missing);
  return missing;
}

}  // namespace oneshot::recipes
