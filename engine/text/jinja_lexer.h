// A template's source as tokens, with Jinja's rules of whitespace already applied.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/text/jinja_value.h"

namespace oneshot::jinja {

enum class TokenKind {
  Data,
  BlockBegin,
  BlockEnd,
  VariableBegin,
  VariableEnd,
  Name,
  Literal,  // a string or a number
  Operator,
  End,
};

struct Token {
  TokenKind kind = TokenKind::End;
  int line = 0;
  std::string text;  // data, name or operator
  Value literal;
};

/// Splits as Jinja does with trim_blocks and lstrip_blocks. The last token is End.
/// throws Failure with its line for what is no token.
std::vector<Token> tokenize(std::string_view source);

/// The value of the number at the start of the text, and how many bytes it takes; 0: no number.
size_t read_number(std::string_view text, bool allow_fraction, Value& value);
/// The value of the quoted string at the start of the text, and how many bytes it takes.
size_t read_string(std::string_view text, std::string& value);

}  // namespace oneshot::jinja
