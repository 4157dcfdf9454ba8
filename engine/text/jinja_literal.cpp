// Numbers and strings as a template spells them.
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "engine/text/jinja_lexer.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

bool is_digit(char byte, int base) {
  if (base == 16) {
    return std::isxdigit(static_cast<unsigned char>(byte)) != 0;
  }
  return byte >= '0' && byte < '0' + base;
}

/// Where the digits that start at `at` end; an underscore stands between two digits only.
size_t digits_end(std::string_view text, size_t at, int base) {
  while (at < text.size()) {
    if (is_digit(text[at], base)) {
      ++at;
    } else if (text[at] == '_' && at + 1 < text.size() && is_digit(text[at + 1], base)) {
      at += 2;
    } else {
      break;
    }
  }
  return at;
}

std::string without_underscores(std::string_view text) {
  return replace_all(text, "_", "");
}

/// Where the fraction and the exponent behind the digits end; the same place when there is none.
size_t fraction_end(std::string_view text, size_t at) {
  size_t end = at;
  if (end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1], 10)) {
    end = digits_end(text, end + 1, 10);
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    size_t digits = end + 1;
    if (digits < text.size() && (text[digits] == '+' || text[digits] == '-')) {
      ++digits;
    }
    if (digits < text.size() && is_digit(text[digits], 10)) {
      end = digits_end(text, digits, 10);
    }
  }
  return end;
}

Value integer_of(std::string_view text, int base) {
  errno = 0;
  int64_t value = std::strtoll(without_underscores(text).c_str(), nullptr, base);
  if (errno == ERANGE) {
    fail_unsupported("an integer of more than 64 bits");
  }
  return Value::integer(value);
}

int base_of(std::string_view text) {
  if (text.size() < 3 || text[0] != '0') {
    return 10;
  }
  char mark = static_cast<char>(text[1] | 0x20);
  int base = mark == 'x' ? 16 : (mark == 'o' ? 8 : (mark == 'b' ? 2 : 10));
  return base != 10 && is_digit(text[text[2] == '_' && text.size() > 3 ? 3 : 2], base) ? base : 10;
}

/// The code point of \xhh, \uhhhh, \Uhhhhhhhh.
char32_t hex_point(std::string_view text, size_t digits) {
  if (text.size() < digits) {
    fail("a truncated escape in a string");
  }
  char32_t point = 0;
  for (char byte : text.substr(0, digits)) {
    if (!is_digit(byte, 16)) {
      fail("a truncated escape in a string");
    }
    int digit = byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10;
    point = point * 16 + static_cast<char32_t>(digit);
  }
  if (point > 0x10FFFF) {
    fail("an escape in a string beyond Unicode");
  }
  if (point >= 0xD800 && point < 0xE000) {
    fail_unsupported("half a surrogate pair in a string");
  }
  return point;
}

std::optional<char> simple_escape(char mark) {
  static constexpr std::string_view kMarks = "abfnrtv\\'\"";
  static constexpr std::string_view kMeaning = "\a\b\f\n\r\t\v\\'\"";
  size_t found = kMarks.find(mark);
  return found == std::string_view::npos ? std::nullopt : std::optional<char>(kMeaning[found]);
}

/// Appends what the escape at the start of `text`, behind the backslash, means; its bytes.
size_t append_escape(std::string_view text, std::string& value) {
  char mark = text[0];
  if (std::optional<char> meaning = simple_escape(mark)) {
    value += *meaning;
    return 1;
  }
  if (mark == '\n') {
    return 1;
  }
  if (mark == 'x' || mark == 'u' || mark == 'U') {
    size_t digits = mark == 'x' ? 2 : (mark == 'u' ? 4 : 8);
    value += to_utf8(hex_point(text.substr(1), digits));
    return 1 + digits;
  }
  if (is_digit(mark, 8)) {
    char32_t point = 0;
    size_t size = 0;
    for (; size < 3 && size < text.size() && is_digit(text[size], 8); ++size) {
      point = point * 8 + static_cast<char32_t>(text[size] - '0');
    }
    value += to_utf8(point);
    return size;
  }
  if (mark == 'N' || static_cast<unsigned char>(mark) >= 0x80) {
    fail_unsupported("the escape \\" + std::string(mark == 'N' ? "N" : "of such a character"));
  }
  value += '\\';
  value += mark;
  return 1;
}

}  // namespace

size_t read_number(std::string_view text, bool allow_fraction, Value& value) {
  if (text.empty() || !is_digit(text[0], 10)) {
    return 0;
  }
  if (int base = base_of(text); base != 10) {
    size_t end = digits_end(text, text[2] == '_' ? 3 : 2, base);
    value = integer_of(text.substr(2, end - 2), base);
    return end;
  }
  size_t end = digits_end(text, 0, 10);
  size_t fraction = allow_fraction ? fraction_end(text, end) : end;
  if (fraction > end) {
    value = {std::strtod(without_underscores(text.substr(0, fraction)).c_str(), nullptr)};
    return fraction;
  }
  if (text[0] == '0') {
    end = 1;  // 007 is three numbers, and then no expression
    while (end < text.size() && text[end] == '0') {
      ++end;
    }
  }
  value = integer_of(text.substr(0, end), 10);
  return end;
}

size_t read_string(std::string_view text, std::string& value) {
  char quote = text[0];
  for (size_t at = 1; at < text.size();) {
    if (text[at] == quote) {
      return at + 1;
    }
    if (text[at] == '\\' && at + 1 < text.size()) {
      at += 1 + append_escape(text.substr(at + 1), value);
    } else {
      value += text[at++];
    }
  }
  fail("a string without its end");
}

}  // namespace oneshot::jinja
