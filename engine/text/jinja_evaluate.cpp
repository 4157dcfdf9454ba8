// Expressions of a template, evaluated.
#include <algorithm>

#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_print.h"

namespace oneshot::jinja {
namespace {

constexpr int kDeepestRun = 600;

bool holds(const std::string& name, const Value& left, const Value& right, Budget& budget) {
  if (name == "==" || name == "!=") {
    return equal(left, right, budget) == (name == "==");
  }
  if (name == "in" || name == "not in") {
    return contains(right, left, budget) == (name == "in");
  }
  bool is_nan = left.is_number() && right.is_number() &&
                (as_double(left) != as_double(left) || as_double(right) != as_double(right));
  int order = compare(left, right, budget);
  bool smaller = name[0] == '<';
  return !is_nan && ((name.size() == 2 && order == 0) || (smaller ? order < 0 : order > 0));
}

void hold_value(const Value& value, Budget& budget) {
  if (value.is_text()) {
    budget.hold(value.as_text().size() + sizeof(Value));
  } else if (const Sequence* sequence = value.sequence()) {
    budget.hold((sequence->items.size() + 1) * sizeof(Value));
  } else if (value.is_dict()) {
    budget.hold((value.as_dict().entries.size() + 1) * 2 * sizeof(Value));
  }
}

}  // namespace

Interpreter::Deeper::Deeper(Interpreter& run) : run_(run) {
  if (run_.depth_ >= kDeepestRun) {
    fail("the template recurses too deep");
  }
  ++run_.depth_;
}

Value Interpreter::lookup(const std::string& name) {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->around.get()) {
    budget_.step(scope->names.size() / 32);
  }
  if (const Value* found = scope_->find(name)) {
    return *found;
  }
  const Builtin* function = find_function(name);
  if (function == nullptr || (name == "strftime_now" && !now_)) {
    return Value::undefined("'" + name + "' is undefined");
  }
  auto made = std::make_shared<Callable>();
  made->name = name;
  made->builtin = function;
  return {Value::CallablePtr(std::move(made))};
}

Value Interpreter::operand(const Expression& expression, size_t index) {
  const ExpressionPtr& held = expression.operands[index];
  return held == nullptr ? filter_input_ : evaluate(*held);
}

Arguments Interpreter::arguments_of(const Expression& expression) {
  Arguments arguments;
  for (size_t i = 1; i < expression.operands.size(); ++i) {
    arguments.positional.push_back(operand(expression, i));
  }
  for (const auto& [name, value] : expression.named) {
    arguments.named.emplace_back(name, evaluate(*value));
  }
  return arguments;
}

Value Interpreter::evaluate_container(const Expression& expression) {
  std::vector<Value> values;
  for (size_t i = 0; i < expression.operands.size(); ++i) {
    values.push_back(operand(expression, i));
  }
  if (expression.kind != ExpressionKind::Dict) {
    bool tuple = expression.kind == ExpressionKind::Tuple;
    return make_sequence(std::move(values), tuple ? SequenceKind::Tuple : SequenceKind::List);
  }
  budget_.step(values.size() * values.size() / 64);  // every key is compared with all before it
  Dict dict;
  for (size_t i = 0; i + 1 < values.size(); i += 2) {
    dict.set(values[i], values[i + 1]);
  }
  return make_dict(std::move(dict));
}

Value Interpreter::evaluate_comparison(const Expression& expression) {
  Value left = operand(expression, 0);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = operand(expression, i + 1);
    line_ = expression.line;
    if (!holds(expression.operators[i], left, right, budget_)) {
      return Value::boolean(false);
    }
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::evaluate_slice(const Expression& expression) {
  auto bound = [&](size_t index) {
    return expression.operands[index] == nullptr ? Value::none() : operand(expression, index);
  };
  Value object = operand(expression, 0);
  Value start = bound(1);
  Value stop = bound(2);
  return slice(object, start, stop, bound(3));
}

Value Interpreter::evaluate_use(const Expression& expression) {
  Value first = operand(expression, 0);
  Arguments arguments = arguments_of(expression);
  line_ = expression.line;
  if (expression.kind == ExpressionKind::Call) {
    return call(first, arguments);
  }
  bool is_filter = expression.kind == ExpressionKind::Filter;
  const Builtin* builtin = is_filter ? find_filter(expression.name) : find_test(expression.name);
  return use_builtin(*builtin, *this, first, arguments);
}

Value Interpreter::evaluate_operator(const Expression& expression) {
  Value first = operand(expression, 0);
  switch (expression.kind) {
    case ExpressionKind::Not:
      return Value::boolean(!truthy(first));
    case ExpressionKind::And:
      return truthy(first) ? operand(expression, 1) : first;
    case ExpressionKind::Or:
      return truthy(first) ? first : operand(expression, 1);
    case ExpressionKind::Negative:
      return first.is<double>() ? Value{-std::get<double>(first.data)}
                                : arithmetic("-", Value::integer(0), first);
    case ExpressionKind::Positive:
      return arithmetic("+", Value::integer(0), first);
    case ExpressionKind::Concatenation: {
      std::string text = to_text(first);
      for (size_t i = 1; i < expression.operands.size(); ++i) {
        append_checked(text, to_text(operand(expression, i)));
      }
      return Value::text(std::move(text));
    }
    default: {
      Value second = operand(expression, 1);
      line_ = expression.line;
      return arithmetic(expression.name, first, second);
    }
  }
}

Value Interpreter::call(const Value& callee, const Arguments& arguments) {
  if (callee.is_undefined()) {
    fail(*std::get<Undefined>(callee.data).why);
  }
  if (!callee.is<Value::CallablePtr>()) {
    fail("'" + type_name(callee) + "' object is not callable");
  }
  Value::CallablePtr callable = std::get<Value::CallablePtr>(callee.data);
  return callable->macro != nullptr
             ? call_macro(*callable, arguments)
             : use_builtin(*callable->builtin, *this, callable->self, arguments);
}

Value Interpreter::evaluate(const Expression& expression) {
  Deeper deeper(*this);
  budget_.step();
  line_ = expression.line;
  switch (expression.kind) {
    case ExpressionKind::Literal:
      return expression.literal;
    case ExpressionKind::Name:
      return lookup(expression.name);
    case ExpressionKind::Attribute:
      return attribute(operand(expression, 0), expression.name);
    case ExpressionKind::Index: {
      Value object = operand(expression, 0);
      return item(object, operand(expression, 1));
    }
    case ExpressionKind::Condition:
      if (truthy(operand(expression, 1))) {
        return operand(expression, 0);
      }
      return expression.operands[2] != nullptr
                 ? operand(expression, 2)
                 : Value::undefined("the inline if-expression on line " +
                                    std::to_string(expression.line) +
                                    " evaluated to false and no else section was defined.");
    case ExpressionKind::Comparison:
      return evaluate_comparison(expression);
    default:
      break;
  }
  Value made;
  switch (expression.kind) {
    case ExpressionKind::List:
    case ExpressionKind::Tuple:
    case ExpressionKind::Dict:
      made = evaluate_container(expression);
      break;
    case ExpressionKind::Slice:
      made = evaluate_slice(expression);
      break;
    case ExpressionKind::Call:
    case ExpressionKind::Filter:
    case ExpressionKind::Test:
      made = evaluate_use(expression);
      break;
    default:
      made = evaluate_operator(expression);
  }
  hold_value(made, budget_);
  return made;
}

}  // namespace oneshot::jinja
