#include "engine/text/jinja_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "engine/text/jinja_budget.h"

namespace oneshot::jinja {
namespace {

constexpr char32_t kSigma = 0x3A3;
constexpr char32_t kFinalSigma = 0x3C2;
constexpr char32_t kSharpS = 0xDF;

bool continues(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

bool grows_when_upper(char32_t point) {
  static constexpr char32_t kRanges[][2] = {
      {0x149, 0x149},   {0x1F0, 0x1F0},   {0x390, 0x390},   {0x3B0, 0x3B0},   {0x587, 0x587},
      {0x1E96, 0x1E9A}, {0x1F50, 0x1F50}, {0x1F52, 0x1F52}, {0x1F54, 0x1F54}, {0x1F56, 0x1F56},
      {0x1F80, 0x1FAF}, {0x1FB2, 0x1FB4}, {0x1FB6, 0x1FB7}, {0x1FBC, 0x1FBC}, {0x1FC2, 0x1FC4},
      {0x1FC6, 0x1FC7}, {0x1FCC, 0x1FCC}, {0x1FD2, 0x1FD3}, {0x1FD6, 0x1FD7}, {0x1FE2, 0x1FE4},
      {0x1FE6, 0x1FE7}, {0x1FF2, 0x1FF4}, {0x1FF6, 0x1FF7}, {0x1FFC, 0x1FFC}, {0xFB00, 0xFB17}};
  return std::any_of(std::begin(kRanges), std::end(kRanges), [&](const auto& range) {
    return point >= range[0] && point <= range[1];
  });
}

bool is_cased(char32_t point) {
  return upper_of(point) != point || lower_of(point) != point;
}

/// Whether the capital sigma at `at` ends a word.
bool is_final_sigma(const std::vector<std::string_view>& text, size_t at) {
  return at > 0 && is_cased(code_point(text[at - 1])) &&
         (at + 1 == text.size() || !is_cased(code_point(text[at + 1])));
}

template <class InSet>
std::string_view strip_where(std::string_view text, bool left, bool right, InSet&& in_set) {
  while (left && !text.empty()) {
    size_t size = 1;
    while (size < text.size() && continues(text[size])) {
      ++size;
    }
    if (!in_set(text.substr(0, size))) {
      break;
    }
    text.remove_prefix(size);
  }
  while (right && !text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && continues(text[start])) {
      --start;
    }
    if (!in_set(text.substr(start))) {
      break;
    }
    text.remove_suffix(text.size() - start);
  }
  return text;
}

}  // namespace

char32_t upper_of(char32_t point) {
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(point)));
}

char32_t lower_of(char32_t point) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(point)));
}

bool is_letter(char32_t point) {
  utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(point));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_printable(char32_t point) {
  utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(point));
  return point == ' ' || (category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS);
}

size_t count_characters(std::string_view text) {
  return text.size() - static_cast<size_t>(std::count_if(text.begin(), text.end(), continues));
}

size_t Characters::first_size() const {
  size_t size = 1;
  while (size < rest_.size() && continues(rest_[size])) {
    ++size;
  }
  return size;
}

std::vector<std::string_view> character_list(std::string_view text) {
  std::vector<std::string_view> found;
  for (std::string_view character : characters(text)) {
    found.push_back(character);
  }
  return found;
}

char32_t code_point(std::string_view character) {
  auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) {
    return first;
  }
  char32_t point = first & (0xFFU >> (character.size() + 1));
  for (char byte : character.substr(1)) {
    point = (point << 6) | (static_cast<unsigned char>(byte) & 0x3FU);
  }
  return point;
}

std::string to_utf8(char32_t point) {
  if (point < 0x80) {
    return std::string(1, static_cast<char>(point));
  }
  std::string text;
  int shift = point < 0x800 ? 6 : (point < 0x10000 ? 12 : 18);
  char32_t lead = point < 0x800 ? 0xC0 : (point < 0x10000 ? 0xE0 : 0xF0);
  text += static_cast<char>(lead | (point >> shift));
  while (shift > 0) {
    shift -= 6;
    text += static_cast<char>(0x80 | ((point >> shift) & 0x3F));
  }
  return text;
}

bool is_space(char32_t point) {
  return (point >= 0x9 && point <= 0xD) || (point >= 0x1C && point <= 0x20) || point == 0x85 ||
         point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) ||
         point == 0x2028 || point == 0x2029 || point == 0x202F || point == 0x205F ||
         point == 0x3000;
}

std::string_view strip(std::string_view text, bool left, bool right) {
  return strip_where(text, left, right, [](std::string_view character) {
    return is_space(code_point(character));
  });
}

std::string_view strip_set(std::string_view text, std::string_view set, bool left, bool right) {
  std::vector<std::string_view> members = character_list(set);
  return strip_where(text, left, right, [&](std::string_view character) {
    return std::find(members.begin(), members.end(), character) != members.end();
  });
}

std::string to_upper(std::string_view text) {
  std::string made;
  for (std::string_view character : characters(text)) {
    char32_t point = code_point(character);
    if (grows_when_upper(point)) {
      fail_unsupported("the upper case of '" + std::string(character) + "'");
    }
    made += point == kSharpS ? "SS" : to_utf8(upper_of(point));
  }
  return made;
}

std::string to_lower(std::string_view text) {
  std::vector<std::string_view> all = character_list(text);
  std::string made;
  for (size_t i = 0; i < all.size(); ++i) {
    char32_t point = code_point(all[i]);
    if (point == kSigma && is_final_sigma(all, i)) {
      made += to_utf8(kFinalSigma);
    } else {
      made += point == 0x130 ? "i\xCC\x87" : to_utf8(lower_of(point));
    }
  }
  return made;
}

std::string capitalize(std::string_view text) {
  size_t first = text.empty() ? 0 : (*characters(text)).size();
  return to_upper(text.substr(0, first)) + to_lower(text.substr(first));
}

std::string title(std::string_view text) {
  std::string made;
  bool in_word = false;
  for (std::string_view character : characters(text)) {
    made += in_word ? to_lower(character) : to_upper(character);
    in_word = is_cased(code_point(character));
  }
  return made;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  size_t start = 0;
  size_t at = 0;
  for (std::string_view character : characters(text)) {
    size_t end = at;
    at += character.size();
    char32_t point = code_point(character);
    bool is_pair = point == '\r' && at < text.size() && text[at] == '\n';
    bool is_break = (point >= 0xA && point <= 0xD) || (point >= 0x1C && point <= 0x1E) ||
                    point == 0x85 || point == 0x2028 || point == 0x2029;
    if (is_break && !is_pair) {
      bool after_return = point == '\n' && end > start && text[end - 1] == '\r';
      lines.push_back(text.substr(start, (after_return ? end - 1 : end) - start));
      start = at;
    }
  }
  if (start < text.size()) {
    lines.push_back(text.substr(start));
  }
  return lines;
}

std::string replace_all(std::string_view text,
                        std::string_view from,
                        std::string_view to,
                        int64_t limit) {
  std::string made;
  size_t start = 0;
  int64_t count = 0;
  while (limit < 0 || count < limit) {
    // An empty pattern stands before every character and at the end.
    size_t found = from.empty() && count > 0 ? start + 1 : start;
    while (from.empty() && found < text.size() && continues(text[found])) {
      ++found;
    }
    found = from.empty() ? found : text.find(from, start);
    if (found == std::string_view::npos || found > text.size()) {
      break;
    }
    append_checked(made, text.substr(start, found - start));
    append_checked(made, to);
    start = found + from.size();
    ++count;
  }
  append_checked(made, text.substr(start));
  return made;
}

}  // namespace oneshot::jinja
