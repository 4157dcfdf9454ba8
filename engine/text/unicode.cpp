#include "engine/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>

namespace oneshot {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Code point, or negative when no well-formed sequence begins here; `bytes` is its length.
utf8proc_int32_t decode(std::string_view text, size_t position, size_t& bytes) {
  utf8proc_int32_t code = -1;
  const auto* start = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + position);
  const auto length =
      utf8proc_iterate(start, static_cast<utf8proc_ssize_t>(text.size() - position), &code);
  if (length <= 0) {
    return -1;
  }
  bytes = static_cast<size_t>(length);
  return code;
}

/// What may follow the first byte of a sequence, and how long the sequence is (0: no first byte).
struct Sequence {
  int bytes;
  unsigned char lowest, highest;  // of the second byte
};

Sequence sequence_of(unsigned char first) {
  if (first >= 0xC2 && first <= 0xDF) {
    return {2, 0x80, 0xBF};
  }
  if (first >= 0xE0 && first <= 0xEF) {
    return {3,
            static_cast<unsigned char>(first == 0xE0 ? 0xA0 : 0x80),
            static_cast<unsigned char>(first == 0xED ? 0x9F : 0xBF)};
  }
  if (first >= 0xF0 && first <= 0xF4) {
    return {4,
            static_cast<unsigned char>(first == 0xF0 ? 0x90 : 0x80),
            static_cast<unsigned char>(first == 0xF4 ? 0x8F : 0xBF)};
  }
  return {0, 0, 0};
}

/// Bytes of the longest beginning of a sequence at `position`; 1 where none begins.
size_t maximal_subpart(std::string_view text, size_t position) {
  const Sequence sequence = sequence_of(static_cast<unsigned char>(text[position]));
  size_t length = 1;
  while (length < static_cast<size_t>(sequence.bytes) && position + length < text.size()) {
    const auto byte = static_cast<unsigned char>(text[position + length]);
    const unsigned char lowest = length == 1 ? sequence.lowest : 0x80;
    const unsigned char highest = length == 1 ? sequence.highest : 0xBF;
    if (byte < lowest || byte > highest) {
      break;
    }
    ++length;
  }
  return length;
}

bool in_category(char32_t code, utf8proc_category_t first, utf8proc_category_t last) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  return category >= first && category <= last;
}

}  // namespace

Character character_at(std::string_view text, size_t position) {
  const auto first = static_cast<unsigned char>(text[position]);
  if (first < 0x80) {
    return {first, 1};
  }
  size_t bytes = 1;
  const utf8proc_int32_t code = decode(text, position, bytes);
  return {code < 0 ? U'\uFFFD' : static_cast<char32_t>(code), bytes};
}

void append_utf8(char32_t code, std::string& text) {
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes);
  text.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
}

std::optional<size_t> first_invalid_byte(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    size_t bytes = 1;
    if (static_cast<unsigned char>(text[position]) >= 0x80 && decode(text, position, bytes) < 0) {
      return position;
    }
    position += bytes;
  }
  return std::nullopt;
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::optional<size_t> invalid = first_invalid_byte(bytes);
    text.append(bytes.substr(0, invalid.value_or(bytes.size())));
    if (!invalid) {
      break;
    }
    text.append(kReplacement);
    bytes.remove_prefix(*invalid + maximal_subpart(bytes, *invalid));
  }
  return text;
}

bool is_ascii(std::string_view text) {
  return std::all_of(
      text.begin(), text.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

bool is_white_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
         code == 0x202F || code == 0x205F || code == 0x3000;
}

bool is_numeric(char32_t code) {
  if (code < 0x80) {
    return code >= '0' && code <= '9';
  }
  return in_category(code, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO);
}

bool is_mark(char32_t code) {
  return code >= 0x80 && in_category(code, UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME);
}

bool is_punctuation(char32_t code) {
  if (code < 0x80) {
    return (code > 0x20 && code < 0x30) || (code > 0x39 && code < 0x41) ||
           (code > 0x5A && code < 0x61) || (code > 0x7A && code < 0x7F);
  }
  return in_category(code, UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO);
}

bool is_word_character(char32_t code) {
  const bool circled_letter =
      (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) ||
      (code >= 0x1F150 && code <= 0x1F169) || (code >= 0x1F170 && code <= 0x1F189);
  const bool joiner = code == 0x200C || code == 0x200D;
  return circled_letter || joiner ||
         in_category(code, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_NL) ||
         in_category(code, UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PC);
}

}  // namespace oneshot
