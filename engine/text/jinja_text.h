// Texts as Python sees them: characters are code points of UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oneshot::jinja {

size_t count_characters(std::string_view text);
/// Walks over a UTF-8 text, one view a code point.
class Characters {
 public:
  explicit Characters(std::string_view text) : rest_(text) {}
  Characters begin() const { return *this; }
  Characters end() const { return Characters(rest_.substr(rest_.size())); }
  std::string_view operator*() const { return rest_.substr(0, first_size()); }
  Characters& operator++() {
    rest_.remove_prefix(first_size());
    return *this;
  }
  bool operator!=(const Characters& other) const { return rest_.size() != other.rest_.size(); }

 private:
  std::string_view rest_;
  size_t first_size() const;
};
inline Characters characters(std::string_view text) {
  return Characters(text);
}
/// All of them, for random access.
std::vector<std::string_view> character_list(std::string_view text);
/// The code point that one of these views holds.
char32_t code_point(std::string_view character);
std::string to_utf8(char32_t point);

/// Python's str.isalpha and str.isprintable for one code point.
bool is_letter(char32_t point);
bool is_printable(char32_t point);
/// Python's str.isspace for one code point.
bool is_space(char32_t point);
/// Python's strip, lstrip, rstrip without an argument.
std::string_view strip(std::string_view text, bool left = true, bool right = true);
/// The same of the characters in `set`.
std::string_view strip_set(std::string_view text,
                           std::string_view set,
                           bool left = true,
                           bool right = true);

/// The one code point that is its other case; itself where there is none.
char32_t upper_of(char32_t point);
char32_t lower_of(char32_t point);
/// Python's upper and lower. throws Failure (Unsupported) for the ligatures and accented Greek
/// letters whose other case is more than one code point.
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
/// Python's capitalize: the first character upper, the others lower.
std::string capitalize(std::string_view text);

/// Python's str.title: every run of letters with its first one upper.
std::string title(std::string_view text);
/// Python's splitlines.
std::vector<std::string_view> lines_of(std::string_view text);

/// `text` with the first `limit` occurrences of `from` replaced; all where limit is negative.
std::string replace_all(std::string_view text,
                        std::string_view from,
                        std::string_view to,
                        int64_t limit = -1);

}  // namespace oneshot::jinja
