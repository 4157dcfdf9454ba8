#include "engine/text/byte_alphabet.h"

#include <array>

#include "engine/text/unicode.h"

namespace oneshot {
namespace {

constexpr int kFirstOther = 0x100;
constexpr int kOthers = 68;

struct Alphabet {
  std::array<std::string, 256> characters;       // of each byte, as UTF-8
  std::array<int, kFirstOther + kOthers> bytes;  // of each character; -1: of none
};

Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.bytes.fill(-1);
  int other = kFirstOther;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    const int code = printable ? byte : other++;
    append_utf8(static_cast<char32_t>(code), alphabet.characters[byte]);
    alphabet.bytes[code] = byte;
  }
  return alphabet;
}

const Alphabet& alphabet() {
  static const Alphabet kAlphabet = make_alphabet();
  return kAlphabet;
}

}  // namespace

void append_as_characters(std::string_view bytes, std::string& text) {
  const Alphabet& known = alphabet();
  for (const char byte : bytes) {
    text += known.characters[static_cast<unsigned char>(byte)];
  }
}

std::optional<char> byte_of_character(char32_t code) {
  const Alphabet& known = alphabet();
  if (code >= known.bytes.size() || known.bytes[code] < 0) {
    return std::nullopt;
  }
  return static_cast<char>(known.bytes[code]);
}

}  // namespace oneshot
