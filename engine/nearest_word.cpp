#include "engine/nearest_word.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace oneshot {
namespace {

std::string folded(std::string_view word) {
  std::string text(word);
  for (char& c : text) {
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

/// Optimal string alignment distance: Levenshtein's, where swapped neighbours count once.
size_t distance(const std::string& a, const std::string& b) {
  const size_t width = b.size() + 1;
  std::vector<size_t> before(width), last(width), row(width);
  for (size_t j = 0; j < width; ++j) {
    row[j] = j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (size_t j = 1; j < width; ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  const std::string wanted = folded(word);
  std::optional<std::string> best;
  size_t best_edits = 0;
  for (const std::string& candidate : candidates) {
    const size_t shorter = std::min(wanted.size(), candidate.size());
    const size_t longer = std::max(wanted.size(), candidate.size());
    const size_t allowed = longer / 3;
    if (longer - shorter > allowed) {
      continue;  // spares the comparison of a very long word
    }
    const size_t edits = distance(wanted, folded(candidate));
    if (edits <= allowed && (!best || edits < best_edits)) {
      best = candidate;
      best_edits = edits;
    }
  }
  return best;
}

}  // namespace oneshot
