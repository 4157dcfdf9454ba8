#include "recipes/pattern.h"

#include <re2/re2.h>

#include <string_view>

#include "recipes/recipe_error.h"

namespace oneshot::recipes {

void check_pattern(const TextValue& pattern, const std::string& subject) {
  constexpr std::string_view kRegex = "re:";
  if (!pattern.text.starts_with(kRegex)) {
    return;
  }
  const std::string regex = pattern.text.substr(kRegex.size());
  const re2::RE2 compiled(regex, re2::RE2::Quiet);
  if (regex.empty() || !compiled.ok()) {
    const std::string reason = regex.empty() ? "it is empty" : printable(compiled.error());
    fail(pattern.where,
         subject + ": bad regular expression " + in_quotes(pattern.text) + ": " + reason);
  }
}

}  // namespace oneshot::recipes
