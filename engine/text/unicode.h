// UTF-8 and the character classes that tokenizers ask for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace oneshot {

struct Character {
  char32_t code = 0;
  size_t bytes = 0;
};

/// The character that begins at `position`. The text is valid UTF-8 and goes on there.
Character character_at(std::string_view text, size_t position);

void append_utf8(char32_t code, std::string& text);

/// Where the first byte stands that belongs to no well-formed sequence; nothing when all do.
std::optional<size_t> first_invalid_byte(std::string_view text);

/// The text with U+FFFD for each longest beginning of a sequence that is not completed, as the
/// Unicode standard recommends (3.9, "substitution of maximal subparts").
std::string replace_invalid_utf8(std::string_view bytes);

bool is_ascii(std::string_view text);

bool is_white_space(char32_t code);  // property White_Space
bool is_numeric(char32_t code);      // categories Nd, Nl, No
bool is_mark(char32_t code);         // categories Mn, Mc, Me
bool is_punctuation(char32_t code);  // categories P…, and every ASCII symbol
bool is_word_character(
    char32_t code);  // \w of UTS 18: alphabetic, marks, digits, connectors, joiners

}  // namespace oneshot
