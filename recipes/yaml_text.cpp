#include "recipes/yaml_text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

struct Character {
  uint32_t code;
  size_t bytes;  // 0: not UTF-8
};

/// The UTF-8 character at the front of `text`, in its shortest form and no surrogate.
Character decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) {
    return {lead, 1};
  }
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  uint32_t code = lead & (0x7Fu >> bytes);
  if (lead < 0xC0 || lead > 0xF4 || bytes > text.size()) {
    return {0, 0};
  }
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) {
      return {0, 0};
    }
    code = code << 6 | (next & 0x3Fu);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < kSmallest[bytes] || code > 0x10FFFF || surrogate ? Character{0, 0}
                                                                 : Character{code, bytes};
}

bool is_refused(uint32_t code) {
  const bool control =
      (code < 0x20 && code != '\t' && code != '\n') || (code >= 0x7F && code < 0xA0);
  return control || code == 0x2028 || code == 0x2029 || code == 0xFEFF;
}

bool continues_a_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

/// Column of the character that would follow `text`.
size_t column_in_line(std::string_view text) {
  const std::string_view line = text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
  return 1 + static_cast<size_t>(std::count_if(
                 line.begin(), line.end(), [](char c) { return !continues_a_character(c); }));
}

}  // namespace

std::optional<BadByte> find_bad_byte(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Character character = decode(text.substr(i));
    if (character.bytes == 0) {
      return BadByte{i, "not UTF-8"};
    }
    if (is_refused(character.code)) {
      char name[16];
      std::snprintf(name, sizeof name, "U+%04X", static_cast<unsigned>(character.code));
      return BadByte{i, std::string("the control character ") + name + " is not allowed"};
    }
    i += character.bytes;
  }
  return std::nullopt;
}

std::string prepare_text(std::string_view text, const std::string& file) {
  if (text.size() > kLargestText) {
    fail(file, "larger than 1 MiB, which no recipe is");
  }
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  std::string prepared;
  prepared.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (!text.substr(i).starts_with("\r\n")) {
      prepared += text[i];
    }
  }
  if (const auto bad = find_bad_byte(prepared)) {
    fail(Positions(prepared, file).at(bad->offset), bad->reason);
  }
  return prepared;
}

std::string Positions::at(size_t offset) {
  if (fixed_) {
    return place_;
  }
  for (offset = std::min(offset, text_.size()); offset_ < offset; ++offset_) {
    if (text_[offset_] == '\n') {
      ++line_;
      column_ = 1;
    } else if (!continues_a_character(text_[offset_])) {
      ++column_;
    }
  }
  while (offset_ > offset) {
    --offset_;
    if (text_[offset_] == '\n') {
      --line_;
      column_ = column_in_line(text_.substr(0, offset_));
    } else if (!continues_a_character(text_[offset_])) {
      --column_;
    }
  }
  return place_ + ":" + std::to_string(line_) + ":" + std::to_string(column_);
}

}  // namespace oneshot::recipes
