// Patterns of `targets`, `ignore` and `fp_layers`, as far as a recipe can judge them.
#pragma once

#include <string>

#include "recipes/option.h"

namespace oneshot::recipes {

/// Throws Recipe when a pattern that begins with "re:" is no RE2 regular expression.
/// `subject` begins the message: "quantize: 'ignore'".
void check_pattern(const TextValue& pattern, const std::string& subject);

}  // namespace oneshot::recipes
