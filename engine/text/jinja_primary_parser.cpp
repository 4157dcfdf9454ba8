// The innermost parts of expressions, arguments and the targets of assignments.
#include <algorithm>

#include "engine/text/jinja_parser.h"

namespace oneshot::jinja {
namespace {

bool ends_tuple(const TokenStream& tokens) {
  return tokens.is(TokenKind::VariableEnd) || tokens.is(TokenKind::BlockEnd) ||
         tokens.is_operator(")") || tokens.is_name("in") || tokens.is_name("recursive");
}

bool is_constant(const std::string& name) {
  static constexpr const char* kConstants[] = {"true", "True", "false", "False", "none", "None"};
  return std::find(std::begin(kConstants), std::end(kConstants), name) != std::end(kConstants);
}

}  // namespace

ExpressionPtr ExpressionParser::tuple(bool with_condition, bool in_brackets) {
  int line = tokens_.line();
  if (ends_tuple(tokens_) && !in_brackets) {
    tokens_.fail_unexpected("an expression");
  }
  ExpressionPtr made = make(ExpressionKind::Tuple, line);
  bool has_comma = false;
  while (!ends_tuple(tokens_)) {
    adopt(*made, expression(with_condition));
    if (!tokens_.take_operator(",")) {
      break;
    }
    has_comma = true;
  }
  if (!has_comma && made->operands.size() == 1) {
    return std::move(made->operands[0]);
  }
  return made;
}

ExpressionPtr ExpressionParser::primary() {
  if (tokens_.is(TokenKind::Name)) {
    return named_value();
  }
  if (tokens_.is(TokenKind::Literal)) {
    ExpressionPtr made = make(ExpressionKind::Literal, tokens_.line());
    made->literal = tokens_.take().literal;
    while (made->literal.is_text() && tokens_.is(TokenKind::Literal) &&
           tokens_.current().literal.is_text()) {
      made->literal = Value::text(made->literal.as_text() + tokens_.take().literal.as_text());
    }
    return made;
  }
  if (tokens_.take_operator("(")) {
    ExpressionPtr made = tuple(true, true);
    tokens_.expect_operator(")");
    return made;
  }
  if (tokens_.is_operator("[")) {
    return list();
  }
  if (tokens_.is_operator("{")) {
    return dict();
  }
  tokens_.fail_unexpected("an expression");
}

ExpressionPtr ExpressionParser::named_value() {
  Token token = tokens_.take();
  if (!is_constant(token.text)) {
    return make(ExpressionKind::Name, token.line, token.text);
  }
  ExpressionPtr made = make(ExpressionKind::Literal, token.line);
  char first = static_cast<char>(token.text[0] | 0x20);
  made->literal = first == 'n' ? Value::none() : Value::boolean(first == 't');
  return made;
}

ExpressionPtr ExpressionParser::list() {
  ExpressionPtr made = make(ExpressionKind::List, tokens_.take().line);
  while (!tokens_.is_operator("]")) {
    adopt(*made, expression());
    if (!tokens_.is_operator("]")) {
      tokens_.expect_operator(",");
    }
  }
  tokens_.take();
  return made;
}

ExpressionPtr ExpressionParser::dict() {
  ExpressionPtr made = make(ExpressionKind::Dict, tokens_.take().line);
  while (!tokens_.is_operator("}")) {
    adopt(*made, expression());
    tokens_.expect_operator(":");
    adopt(*made, expression());
    if (!tokens_.is_operator("}")) {
      tokens_.expect_operator(",");
    }
  }
  tokens_.take();
  return made;
}

ExpressionPtr ExpressionParser::attribute(ExpressionPtr object) {
  int line = tokens_.take().line;
  if (tokens_.is(TokenKind::Literal) && tokens_.current().literal.is_integer()) {
    ExpressionPtr made = make(ExpressionKind::Index, line);
    adopt(*made, std::move(object));
    adopt(*made, primary());
    return made;
  }
  ExpressionPtr made = make(ExpressionKind::Attribute, line, tokens_.expect_any_name());
  adopt(*made, std::move(object));
  return made;
}

ExpressionPtr ExpressionParser::index(ExpressionPtr object) {
  int line = tokens_.take().line;
  ExpressionPtr first = tokens_.is_operator(":") ? nullptr : expression();
  if (first != nullptr && tokens_.take_operator("]")) {
    ExpressionPtr made = make(ExpressionKind::Index, line);
    adopt(*made, std::move(object));
    adopt(*made, std::move(first));
    return made;
  }
  tokens_.expect_operator(":");
  ExpressionPtr made = make(ExpressionKind::Slice, line);
  adopt(*made, std::move(object));
  adopt(*made, std::move(first));
  bool has_stop = !tokens_.is_operator(":") && !tokens_.is_operator("]");
  adopt(*made, has_stop ? expression() : nullptr);
  bool has_step = tokens_.take_operator(":") && !tokens_.is_operator("]");
  adopt(*made, has_step ? expression() : nullptr);
  tokens_.expect_operator("]");
  return made;
}

void ExpressionParser::arguments(Expression& call) {
  tokens_.expect_operator("(");
  while (!tokens_.is_operator(")")) {
    if (tokens_.is_operator("*") || tokens_.is_operator("**")) {
      throw Failure(ErrorCode::Unsupported, "a call with * or ** is not supported", tokens_.line());
    }
    bool is_named = tokens_.is(TokenKind::Name) && tokens_.next().kind == TokenKind::Operator &&
                    tokens_.next().text == "=";
    if (is_named) {
      std::string name = tokens_.take().text;
      tokens_.take();
      ExpressionPtr value = expression();
      call.depth = std::max(call.depth, value->depth + 1);
      call.named.emplace_back(std::move(name), std::move(value));
    } else if (call.named.empty()) {
      adopt(call, expression());
    } else {
      tokens_.fail_unexpected("a named argument");
    }
    if (!tokens_.is_operator(")")) {
      tokens_.expect_operator(",");
    }
  }
  tokens_.take();
}

Target ExpressionParser::one_target(bool allow_member) {
  Nested nested(depth_, tokens_.line());
  Target made;
  if (tokens_.take_operator("(")) {
    made = target(allow_member);
    tokens_.expect_operator(")");
    return made;
  }
  if (tokens_.is(TokenKind::Name) && is_constant(tokens_.current().text)) {
    tokens_.fail_unexpected("a name");
  }
  made.name = tokens_.expect_any_name();
  if (allow_member && tokens_.take_operator(".")) {
    made.member = tokens_.expect_any_name();
  }
  return made;
}

Target ExpressionParser::target(bool allow_member) {
  Target first = one_target(allow_member);
  if (!tokens_.is_operator(",")) {
    return first;
  }
  Target made;
  made.parts.push_back(std::move(first));
  while (tokens_.take_operator(",")) {
    if (ends_tuple(tokens_) || tokens_.is_operator("=")) {
      break;
    }
    made.parts.push_back(one_target(allow_member));
  }
  return made;
}

}  // namespace oneshot::jinja
