// What Split and Replace look for: a literal string, or a regular expression run by PCRE2.
// The files are written for Oniguruma; a pattern that PCRE2 would read otherwise is refused.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/component.h"

namespace oneshot {

/// Bytes [begin, end) of a text.
struct Range {
  size_t begin = 0, end = 0;
};

/// A compiled pattern; many threads may use one at once.
class Pattern {
 public:
  /// The {"String": …} or {"Regex": …} under the key "pattern".
  /// throws Checkpoint when it is neither, Unsupported when it does not compile.
  explicit Pattern(const Component& owner);

  static Pattern regex(const std::string& expression);  // one of ours

  /// Appends all matches, left to right, to `matches`. `text` is valid UTF-8.
  /// throws Unsupported when the pattern would need too many steps on this text.
  void find_all(std::string_view text, std::vector<Range>& matches) const;

 private:
  struct Regex;
  Pattern() = default;

  std::string literal_;
  std::shared_ptr<const Regex> regex_;  // null: the literal counts
};

}  // namespace oneshot
