#include "engine/text/pieces.h"

#include <algorithm>
#include <utility>

#include "engine/text/unicode.h"

namespace oneshot {
namespace {

struct Stretch {
  Range range;
  bool is_match;
};

/// Matches and the gaps between them, in order.
std::vector<Stretch> stretches(const std::vector<Range>& matches, size_t length, bool inverted) {
  std::vector<Stretch> found;
  size_t end = 0;
  for (const Range& match : matches) {
    if (match.begin > end) {
      found.push_back({{end, match.begin}, inverted});
    }
    found.push_back({match, !inverted});
    end = match.end;
  }
  if (end < length) {
    found.push_back({{end, length}, inverted});
  }
  return found;
}

/// Joins a stretch with the one before it where `joins(stretch, previous is a match)` says so.
template <class Joins>
std::vector<Range> joined(const std::vector<Stretch>& found, Joins joins) {
  std::vector<Range> ranges;
  bool previous_is_match = false;
  for (const Stretch& stretch : found) {
    if (!ranges.empty() && joins(stretch.is_match, previous_is_match)) {
      ranges.back().begin = std::min(ranges.back().begin, stretch.range.begin);
      ranges.back().end = std::max(ranges.back().end, stretch.range.end);
    } else {
      ranges.push_back(stretch.range);
    }
    previous_is_match = stretch.is_match;
  }
  return ranges;
}

std::vector<Range> cut(std::vector<Stretch> found, SplitBehavior behavior) {
  const auto is_alike = [](bool match, bool previous) { return match == previous; };
  const auto follows_gap = [](bool match, bool previous) { return match && !previous; };
  std::vector<Range> ranges;
  switch (behavior) {
    case SplitBehavior::Contiguous:
      return joined(found, is_alike);
    case SplitBehavior::MergedWithPrevious:
      return joined(found, follows_gap);
    case SplitBehavior::MergedWithNext:
      std::reverse(found.begin(), found.end());
      ranges = joined(found, follows_gap);
      std::reverse(ranges.begin(), ranges.end());
      return ranges;
    case SplitBehavior::Removed:
    case SplitBehavior::Isolated:
      for (const Stretch& stretch : found) {
        if (behavior == SplitBehavior::Isolated || !stretch.is_match) {
          ranges.push_back(stretch.range);
        }
      }
  }
  return ranges;
}

}  // namespace

void split(Pieces& pieces, const FindMatches& find, SplitBehavior behavior, bool inverted) {
  std::vector<Range> ranges;
  std::vector<Range> matches;
  for (size_t i = 0; i < pieces.ranges.size(); ++i) {
    matches.clear();
    find(pieces[i], matches);
    const Range piece = pieces.ranges[i];
    const auto found = stretches(matches, piece.end - piece.begin, inverted);
    for (const Range& range : cut(found, behavior)) {
      if (range.begin < range.end) {
        ranges.push_back({piece.begin + range.begin, piece.begin + range.end});
      }
    }
  }
  pieces.ranges = std::move(ranges);
}

FindMatches find_characters(bool (*is_one)(char32_t)) {
  return [is_one](std::string_view piece, std::vector<Range>& matches) {
    for (size_t i = 0; i < piece.size();) {
      const Character character = character_at(piece, i);
      if (is_one(character.code)) {
        matches.push_back({i, i + character.bytes});
      }
      i += character.bytes;
    }
  };
}

void rewrite(Pieces& pieces, const std::function<void(size_t i, std::string& output)>& rewrite) {
  std::string text;
  text.reserve(pieces.text.size() + pieces.text.size() / 2);
  std::vector<Range> ranges;
  ranges.reserve(pieces.ranges.size());
  for (size_t i = 0; i < pieces.ranges.size(); ++i) {
    const size_t begin = text.size();
    rewrite(i, text);
    if (text.size() > begin) {
      ranges.push_back({begin, text.size()});
    }
  }
  pieces.at_start = !pieces.ranges.empty() && pieces.is_first(0);
  pieces.text = std::move(text);
  pieces.ranges = std::move(ranges);
}

}  // namespace oneshot
