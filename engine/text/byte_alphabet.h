// The printable characters that byte-level tokenizers write for the 256 bytes.
// Source: GPT-2, encoder.py, bytes_to_unicode: printable Latin-1 stands for itself, the other 68
// bytes are U+0100, U+0101, … in ascending order (space is "Ġ", newline "Ċ").
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace oneshot {

/// Appends one character for each byte, as UTF-8.
void append_as_characters(std::string_view bytes, std::string& text);

/// The byte that a character stands for.
std::optional<char> byte_of_character(char32_t code);

}  // namespace oneshot
