// Runs a template's syntax tree.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_syntax.h"

namespace oneshot::jinja {

/// The variables of one block; names that it lacks are looked up in the block around it.
struct Scope {
  std::shared_ptr<Scope> around;
  std::vector<std::pair<std::string, Value>> names;
  const Value* find(std::string_view name) const;
  void set(const std::string& name, Value value);
};

/// Renders one template once.
class Interpreter {
 public:
  /// `now`: what strftime_now tells; without it the function is undefined.
  Interpreter(const Dict& context, std::optional<std::tm> now);

  /// throws Failure for what the template raises, does wrong or may not do.
  std::string render(const Block& block);

  Value evaluate(const Expression& expression);
  Value call(const Value& callee, const Arguments& arguments);
  /// `object.name`: a method, a member or a key; undefined when there is none.
  Value attribute(const Value& object, const std::string& name);
  /// `object[key]`; undefined when there is none.
  Value item(const Value& object, const Value& key);
  /// A namespace that lives as long as the rendering.
  Value make_namespace(std::vector<std::pair<std::string, Value>> members);

  Budget& budget() { return budget_; }
  const std::optional<std::tm>& now() const { return now_; }
  int line() const { return line_; }

 private:
  enum class Flow { Normal, Break, Continue };

  /// Counts how deep statements, expressions and macros stand in each other.
  class Deeper {
   public:
    explicit Deeper(Interpreter& run);
    ~Deeper() { --run_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Interpreter& run_;
  };

  Budget budget_;
  std::optional<std::tm> now_;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
  std::shared_ptr<Scope> scope_;
  std::string* output_ = nullptr;
  Value filter_input_;  // of the block whose filter runs
  int line_ = 1;
  int depth_ = 0;

  void write(std::string_view text);
  Flow execute(const Block& block);
  Flow execute(const Statement& statement);
  Flow execute_if(const Statement& statement);
  Flow execute_for(const Statement& statement);
  Flow execute_with(const Statement& statement);
  void execute_set(const Statement& statement);
  void execute_call(const Statement& statement);
  std::vector<Value> loop_items(const Statement& statement);
  /// What the block writes, in a scope of its own.
  std::string captured(const Block& block);
  Value filtered_block(const Statement& statement);
  void assign(const Target& target, const Value& value);
  Value macro_value(const MacroNode& macro) const;
  Value call_macro(const Callable& callable, const Arguments& arguments);
  void bind(const MacroNode& macro, const Arguments& arguments);

  Value lookup(const std::string& name);
  Value operand(const Expression& expression, size_t index);
  Value evaluate_operator(const Expression& expression);
  Value evaluate_container(const Expression& expression);
  Value evaluate_comparison(const Expression& expression);
  Value evaluate_slice(const Expression& expression);
  Value evaluate_use(const Expression& expression);
  Arguments arguments_of(const Expression& expression);
};

/// Python's + - * / // % ** for the operator's name.
Value arithmetic(const std::string& name, const Value& left, const Value& right);
/// `object[start:stop:step]`, none for a bound that was left out.
Value slice(const Value& object, const Value& start, const Value& stop, const Value& step);
/// Python's `text % values`.
std::string percent_format(const std::string& text, const Value& values);

}  // namespace oneshot::jinja
