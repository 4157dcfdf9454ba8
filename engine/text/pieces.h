// A text cut into pieces, and the ways to cut it further.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/pattern.h"

namespace oneshot {

/// The pieces are ranges of one text, left to right; what lies in none of them is gone.
struct Pieces {
  std::string text;
  std::vector<Range> ranges;
  bool at_start = false;  // the text begins where the text given to the tokenizer begins

  std::string_view operator[](size_t i) const {
    return std::string_view(text).substr(ranges[i].begin, ranges[i].end - ranges[i].begin);
  }
  /// Whether a piece begins where the text given to the tokenizer begins.
  bool is_first(size_t i) const { return i == 0 && at_start && ranges[0].begin == 0; }
};

/// What becomes of the matches: pieces of their own, a part of the piece before or after, gone; or
/// neighbours of one kind make one piece (Contiguous).
enum class SplitBehavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };

/// Appends the matches in a piece, left to right, as ranges of that piece.
using FindMatches = std::function<void(std::string_view piece, std::vector<Range>& matches)>;

/// Cuts every piece at its matches; `inverted` takes the gaps for the matches.
void split(Pieces& pieces, const FindMatches& find, SplitBehavior behavior, bool inverted = false);

/// Each character for which `is_one` holds is a match of its own.
FindMatches find_characters(bool (*is_one)(char32_t));

/// Writes every piece anew: `rewrite(i, output)` appends the new text of piece i. Empty ones go.
void rewrite(Pieces& pieces, const std::function<void(size_t i, std::string& output)>& rewrite);

}  // namespace oneshot
