// The syntax tree of a template.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/text/jinja_value.h"

namespace oneshot::jinja {

enum class ExpressionKind {
  Literal,
  Name,
  List,       // operands: items
  Tuple,      // operands: items
  Dict,       // operands: key, value, key, value …
  Attribute,  // operands: object; name
  Index,      // operands: object, key
  Slice,      // operands: object, start, stop, step; null where left out
  Call,       // operands: callee, arguments …; named
  Filter,     // operands: input, arguments …; name, named
  Test,       // operands: input, arguments …; name, named
  Not,
  Negative,
  Positive,
  And,
  Or,
  Concatenation,  // operands: two or more
  Comparison,     // operands: two or more; operators between them
  Arithmetic,     // operands: left, right; name is the operator
  Condition,      // operands: value, test, other value or null
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  ExpressionKind kind = ExpressionKind::Literal;
  int line = 0;
  int depth = 1;  // of the tree below, itself counted
  std::string name;
  Value literal;
  std::vector<ExpressionPtr> operands;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  std::vector<std::string> operators;
};

/// What an assignment or a loop fills: a name, a member of a namespace, or several of these.
struct Target {
  std::string name;
  std::string member;
  std::vector<Target> parts;
};

enum class StatementKind {
  Text,
  Output,
  If,
  For,
  Set,
  SetBlock,
  Macro,
  CallBlock,
  With,
  FilterBlock,
  Generation,
  Break,
  Continue,
};

struct Statement;
using Block = std::vector<Statement>;

struct MacroNode {
  std::string name;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;  // with the default or null
  Block body;
};

struct Branch;

struct Statement {
  StatementKind kind = StatementKind::Text;
  int line = 0;
  std::string text;
  Target target;
  ExpressionPtr value;           // the output, the assigned, what a loop visits, the filter
  ExpressionPtr test;            // of a loop
  std::vector<Branch> branches;  // of an if; the tests of else are null
  std::vector<std::pair<Target, ExpressionPtr>> assignments;  // of a with
  Block body;
  Block otherwise;  // the else of a loop
  std::unique_ptr<MacroNode> macro;
};

struct Branch {
  ExpressionPtr test;
  Block body;
};

}  // namespace oneshot::jinja
