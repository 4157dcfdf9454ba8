// The tokens of a template, read one by one.
#include "engine/checkpoint/message_text.h"
#include "engine/text/jinja_parser.h"

namespace oneshot::jinja {
namespace {

std::string described(const Token& token) {
  switch (token.kind) {
    case TokenKind::End:
      return "the end of the template";
    case TokenKind::BlockEnd:
      return "'%}'";
    case TokenKind::VariableEnd:
      return "'}}'";
    case TokenKind::Literal:
      return token.literal.is_text() ? "a string" : "a number";
    default:
      return in_quotes(token.text);
  }
}

}  // namespace

Token TokenStream::take() {
  Token token = current();
  if (at_ + 1 < tokens_.size()) {
    ++at_;
  }
  return token;
}

bool TokenStream::is_operator(std::string_view text) const {
  return is(TokenKind::Operator) && current().text == text;
}

bool TokenStream::is_name(std::string_view text) const {
  return is(TokenKind::Name) && current().text == text;
}

bool TokenStream::take_operator(std::string_view text) {
  bool found = is_operator(text);
  if (found) {
    take();
  }
  return found;
}

bool TokenStream::take_name(std::string_view text) {
  bool found = is_name(text);
  if (found) {
    take();
  }
  return found;
}

void TokenStream::expect_operator(std::string_view text) {
  if (!take_operator(text)) {
    fail_unexpected(in_quotes(text));
  }
}

void TokenStream::expect_name(std::string_view text) {
  if (!take_name(text)) {
    fail_unexpected(in_quotes(text));
  }
}

std::string TokenStream::expect_any_name() {
  if (!is(TokenKind::Name) || (current().text[0] >= '0' && current().text[0] <= '9')) {
    fail_unexpected("a name");
  }
  return take().text;
}

void TokenStream::expect(TokenKind kind) {
  if (!is(kind)) {
    fail_unexpected(kind == TokenKind::BlockEnd ? "'%}'" : "'}}'");
  }
  take();
}

void TokenStream::fail_unexpected(std::string_view wanted) const {
  throw Failure(ErrorCode::Checkpoint,
                "expected " + std::string(wanted) + ", found " + described(current()),
                line());
}

}  // namespace oneshot::jinja
