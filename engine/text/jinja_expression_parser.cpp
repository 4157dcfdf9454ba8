// Expressions of a template.
#include <algorithm>
#include <iterator>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_parser.h"

namespace oneshot::jinja {
ExpressionPtr ExpressionParser::make(ExpressionKind kind, int line, std::string name) const {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = line;
  made->name = std::move(name);
  return made;
}

void ExpressionParser::adopt(Expression& parent, ExpressionPtr child) const {
  if (child != nullptr) {
    parent.depth = std::max(parent.depth, child->depth + 1);
    if (parent.depth > kDeepestExpression) {
      throw Failure(ErrorCode::Checkpoint, "an expression is too long", child->line);
    }
  }
  parent.operands.push_back(std::move(child));
}

ExpressionPtr ExpressionParser::pair(ExpressionKind kind,
                                     std::string name,
                                     ExpressionPtr l,
                                     ExpressionPtr r) const {
  ExpressionPtr made = make(kind, l->line, std::move(name));
  adopt(*made, std::move(l));
  adopt(*made, std::move(r));
  return made;
}

ExpressionPtr ExpressionParser::expression(bool with_condition) {
  Nested nested(depth_, tokens_.line());
  ExpressionPtr value = either();
  while (with_condition && tokens_.take_name("if")) {
    ExpressionPtr made = make(ExpressionKind::Condition, value->line);
    adopt(*made, std::move(value));
    adopt(*made, either());
    adopt(*made, tokens_.take_name("else") ? expression() : nullptr);
    value = std::move(made);
  }
  return value;
}

ExpressionPtr ExpressionParser::either() {
  ExpressionPtr left = both();
  while (tokens_.take_name("or")) {
    left = pair(ExpressionKind::Or, "or", std::move(left), both());
  }
  return left;
}

ExpressionPtr ExpressionParser::both() {
  ExpressionPtr left = negation();
  while (tokens_.take_name("and")) {
    left = pair(ExpressionKind::And, "and", std::move(left), negation());
  }
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  Nested nested(depth_, tokens_.line());
  int line = tokens_.line();
  if (!tokens_.take_name("not")) {
    return comparison();
  }
  ExpressionPtr made = make(ExpressionKind::Not, line);
  adopt(*made, negation());
  return made;
}

bool ExpressionParser::take_comparison(std::string& name) {
  static constexpr const char* kOperators[] = {"==", "!=", "<=", ">=", "<", ">"};
  for (const char* candidate : kOperators) {
    if (tokens_.take_operator(candidate)) {
      name = candidate;
      return true;
    }
  }
  if (tokens_.take_name("in")) {
    name = "in";
    return true;
  }
  if (tokens_.is_name("not") && tokens_.next().kind == TokenKind::Name &&
      tokens_.next().text == "in") {
    tokens_.take();
    tokens_.take();
    name = "not in";
    return true;
  }
  return false;
}

ExpressionPtr ExpressionParser::comparison() {
  ExpressionPtr left = sum();
  std::string name;
  if (!take_comparison(name)) {
    return left;
  }
  ExpressionPtr made = make(ExpressionKind::Comparison, left->line);
  adopt(*made, std::move(left));
  do {
    made->operators.push_back(name);
    adopt(*made, sum());
  } while (take_comparison(name));
  return made;
}

ExpressionPtr ExpressionParser::sum() {
  ExpressionPtr left = concatenation();
  while (tokens_.is_operator("+") || tokens_.is_operator("-")) {
    std::string name = tokens_.take().text;
    left = pair(ExpressionKind::Arithmetic, name, std::move(left), concatenation());
  }
  return left;
}

ExpressionPtr ExpressionParser::concatenation() {
  ExpressionPtr first = product();
  if (!tokens_.is_operator("~")) {
    return first;
  }
  ExpressionPtr made = make(ExpressionKind::Concatenation, first->line);
  adopt(*made, std::move(first));
  while (tokens_.take_operator("~")) {
    adopt(*made, product());
  }
  return made;
}

ExpressionPtr ExpressionParser::product() {
  static constexpr const char* kOperators[] = {"*", "/", "//", "%"};
  ExpressionPtr left = power();
  while (std::any_of(std::begin(kOperators), std::end(kOperators), [&](const char* candidate) {
    return tokens_.is_operator(candidate);
  })) {
    std::string name = tokens_.take().text;
    left = pair(ExpressionKind::Arithmetic, name, std::move(left), power());
  }
  return left;
}

ExpressionPtr ExpressionParser::power() {
  ExpressionPtr left = unary();
  while (tokens_.take_operator("**")) {
    left = pair(ExpressionKind::Arithmetic, "**", std::move(left), unary());
  }
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filter) {
  Nested nested(depth_, tokens_.line());
  int line = tokens_.line();
  ExpressionPtr made;
  if (tokens_.is_operator("-") || tokens_.is_operator("+")) {
    bool negative = tokens_.take().text == "-";
    made = make(negative ? ExpressionKind::Negative : ExpressionKind::Positive, line);
    adopt(*made, unary(false));
  } else {
    made = primary();
  }
  made = postfix(std::move(made));
  return with_filter ? filtered(std::move(made)) : std::move(made);
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr input) {
  while (true) {
    if (tokens_.is_operator(".")) {
      input = attribute(std::move(input));
    } else if (tokens_.is_operator("[")) {
      input = index(std::move(input));
    } else if (tokens_.is_operator("(")) {
      ExpressionPtr made = make(ExpressionKind::Call, tokens_.line());
      adopt(*made, std::move(input));
      arguments(*made);
      input = std::move(made);
    } else {
      return input;
    }
  }
}

ExpressionPtr ExpressionParser::filtered(ExpressionPtr input) {
  while (true) {
    if (tokens_.is_operator("|")) {
      input = filters(std::move(input));
    } else if (tokens_.is_name("is")) {
      input = test(std::move(input));
    } else if (tokens_.is_operator("(")) {
      input = postfix(std::move(input));
    } else {
      return input;
    }
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr input, bool at_name) {
  while (at_name || tokens_.take_operator("|")) {
    at_name = false;
    int line = tokens_.line();
    std::string name = tokens_.expect_any_name();
    if (find_filter(name) == nullptr) {
      throw Failure(ErrorCode::Unsupported, "the filter '" + name + "' is not supported", line);
    }
    ExpressionPtr made = make(ExpressionKind::Filter, line, name);
    adopt(*made, std::move(input));
    if (tokens_.is_operator("(")) {
      arguments(*made);
    }
    input = std::move(made);
  }
  return input;
}

ExpressionPtr ExpressionParser::test(ExpressionPtr input) {
  int line = tokens_.take().line;
  bool negated = tokens_.take_name("not");
  std::string name = tokens_.expect_any_name();
  if (find_test(name) == nullptr) {
    throw Failure(ErrorCode::Unsupported, "the test '" + name + "' is not supported", line);
  }
  ExpressionPtr made = make(ExpressionKind::Test, line, name);
  adopt(*made, std::move(input));
  bool is_word = tokens_.is_name("else") || tokens_.is_name("or") || tokens_.is_name("and");
  if (tokens_.is_operator("(")) {
    arguments(*made);
  } else if (tokens_.is_operator("[") || tokens_.is_operator("{") ||
             tokens_.is(TokenKind::Literal) || (tokens_.is(TokenKind::Name) && !is_word)) {
    if (tokens_.is_name("is")) {
      tokens_.fail_unexpected("no second test");
    }
    adopt(*made, postfix(primary()));
  }
  if (!negated) {
    return made;
  }
  ExpressionPtr opposite = make(ExpressionKind::Not, line);
  adopt(*opposite, std::move(made));
  return opposite;
}

}  // namespace oneshot::jinja
