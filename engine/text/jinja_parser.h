// From a template's source to its syntax tree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/text/jinja_lexer.h"
#include "engine/text/jinja_syntax.h"

namespace oneshot::jinja {

/// The tree of a template. throws Failure with its line: Checkpoint for wrong syntax, Unsupported
/// for a tag, a filter or a test that the engine does not know.
Block parse(std::string_view source);

/// The tokens of a template, read one by one.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  int line() const { return current().line; }
  Token take();

  bool is(TokenKind kind) const { return current().kind == kind; }
  bool is_operator(std::string_view text) const;
  bool is_name(std::string_view text) const;
  bool take_operator(std::string_view text);
  bool take_name(std::string_view text);
  void expect_operator(std::string_view text);
  void expect_name(std::string_view text);
  std::string expect_any_name();
  void expect(TokenKind kind);
  [[noreturn]] void fail_unexpected(std::string_view wanted) const;

 private:
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

constexpr int kDeepestExpression = 200;

/// Counts how deep a parser stands in brackets, signs and blocks.
class Nested {
 public:
  Nested(int& depth, int line) : depth_(depth) {
    if (++depth_ > kDeepestExpression) {
      --depth_;
      throw Failure(ErrorCode::Checkpoint, "the template is nested too deep", line);
    }
  }
  ~Nested() { --depth_; }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;

 private:
  int& depth_;
};

/// Reads expressions, with Jinja's precedence, from a stream that it does not own.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr expression(bool with_condition = true);
  /// Expressions between commas are a tuple, one without a comma is itself.
  ExpressionPtr tuple(bool with_condition = true, bool in_brackets = false);
  ExpressionPtr unary(bool with_filter = true);
  /// `| name | name(…)` behind `input`; the first input is null in a filter block.
  ExpressionPtr filters(ExpressionPtr input, bool at_name = false);
  /// Names, members of a namespace where that is allowed, or several between commas.
  Target target(bool allow_member);

 private:
  TokenStream& tokens_;
  int depth_ = 0;

  ExpressionPtr make(ExpressionKind kind, int line, std::string name = "") const;
  void adopt(Expression& parent, ExpressionPtr child) const;
  ExpressionPtr pair(ExpressionKind kind, std::string name, ExpressionPtr l, ExpressionPtr r) const;

  ExpressionPtr either();
  ExpressionPtr both();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  bool take_comparison(std::string& name);
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr primary();
  ExpressionPtr named_value();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr input);
  ExpressionPtr filtered(ExpressionPtr input);
  ExpressionPtr attribute(ExpressionPtr object);
  ExpressionPtr index(ExpressionPtr object);
  ExpressionPtr test(ExpressionPtr input);
  void arguments(Expression& call);
  Target one_target(bool allow_member);
};

}  // namespace oneshot::jinja
