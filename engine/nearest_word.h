// "Did you mean …?": the known word that a misspelt one is closest to.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace oneshot {

/// The candidate with the fewest edits from `word` (a letter added, dropped, replaced, or two
/// neighbours swapped; upper and lower case, and hyphen and underscore, are equal). At most one
/// edit for every three letters of the longer word. The first of equals; nothing when none is near.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace oneshot
