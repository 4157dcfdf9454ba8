// Arithmetic and slices, as Python has them.
#include <algorithm>
#include <cmath>

#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_items.h"
#include "engine/text/jinja_print.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

constexpr size_t kMostItems = 1'000'000;

[[noreturn]] void fail_operands(const std::string& name, const Value& left, const Value& right) {
  for (const Value* side : {&left, &right}) {
    if (side->is_undefined()) {
      fail(*std::get<Undefined>(side->data).why);
    }
  }
  fail("unsupported operand type(s) for " + name + ": '" + type_name(left) + "' and '" +
       type_name(right) + "'");
}

int64_t checked(bool overflows, int64_t value) {
  if (overflows) {
    fail_unsupported("an integer of more than 64 bits");
  }
  return value;
}

int64_t floor_divided(int64_t left, int64_t right) {
  int64_t quotient = left / checked(left == INT64_MIN && right == -1, right);
  return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

double floor_remainder(double left, double right) {
  double rest = std::fmod(left, right);
  if (rest != 0 && (rest < 0) != (right < 0)) {
    return rest + right;
  }
  return rest == 0 ? std::copysign(0.0, right) : rest;
}

int64_t integer_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  if (base == 0 || base == 1 || base == -1) {
    return exponent == 0 ? 1 : (base == -1 && exponent % 2 == 0 ? 1 : base);
  }
  for (int64_t i = 0; i < exponent; ++i) {
    bool overflows = __builtin_mul_overflow(result, base, &result);
    checked(overflows, result);
  }
  return result;
}

Value with_floats(char name, bool doubled, double left, double right) {
  if ((name == '/' || name == '%') && right == 0) {
    fail("division by zero");
  }
  switch (name) {
    case '+':
      return {left + right};
    case '-':
      return {left - right};
    case '*':
      return {doubled ? std::pow(left, right) : left * right};
    case '/':
      return {doubled ? std::round((left - floor_remainder(left, right)) / right) : left / right};
    default:
      return {floor_remainder(left, right)};
  }
}

Value with_integers(const std::string& name, int64_t left, int64_t right) {
  int64_t result = 0;
  if (name == "+") {
    bool overflows = __builtin_add_overflow(left, right, &result);
    return Value::integer(checked(overflows, result));
  }
  if (name == "-") {
    bool overflows = __builtin_sub_overflow(left, right, &result);
    return Value::integer(checked(overflows, result));
  }
  if (name == "*") {
    bool overflows = __builtin_mul_overflow(left, right, &result);
    return Value::integer(checked(overflows, result));
  }
  if (name == "**" && right >= 0) {
    return Value::integer(integer_power(left, right));
  }
  if (name == "/" || name == "**") {
    return with_floats(
        name[0], name == "**", static_cast<double>(left), static_cast<double>(right));
  }
  if (right == 0) {
    fail("integer division or modulo by zero");
  }
  int64_t quotient = floor_divided(left, right);
  return Value::integer(name == "//" ? quotient : left - quotient * right);
}

Value repeated(const Value& value, int64_t times) {
  size_t count = times < 0 ? 0 : static_cast<size_t>(times);
  if (value.is_text()) {
    const std::string& once = value.as_text();
    if (once.size() == 1 && count <= kLargestText) {
      return Value::text(std::string(count, once[0]));
    }
    std::string text;
    for (size_t i = 0; i < count && !once.empty(); ++i) {
      append_checked(text, once);
    }
    return Value::text(std::move(text));
  }
  const Sequence& sequence = *value.sequence();
  std::vector<Value> items;
  for (size_t i = 0; i < count && !sequence.items.empty(); ++i) {
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
    if (items.size() > kMostItems) {
      fail("the template makes a list of more than a million items");
    }
  }
  return make_sequence(std::move(items), sequence.kind);
}

bool can_repeat(const Value& value) {
  const Sequence* sequence = value.sequence();
  return value.is_text() || (sequence != nullptr && (sequence->kind == SequenceKind::List ||
                                                     sequence->kind == SequenceKind::Tuple));
}

Value joined(const Value& left, const Value& right) {
  if (left.is_text() && right.is_text()) {
    std::string text = left.as_text();
    append_checked(text, right.as_text());
    return Value::text(std::move(text));
  }
  if (!can_repeat(left) || !can_repeat(right) || left.is_text() || right.is_text() ||
      left.sequence()->kind != right.sequence()->kind) {
    if (left.is_text() && !right.is_undefined()) {
      fail("can only concatenate str (not \"" + type_name(right) + "\") to str");
    }
    fail_operands("+", left, right);
  }
  std::vector<Value> items = left.sequence()->items;
  const std::vector<Value>& more = right.sequence()->items;
  items.insert(items.end(), more.begin(), more.end());
  if (items.size() > kMostItems) {
    fail("the template makes a list of more than a million items");
  }
  return make_sequence(std::move(items), left.sequence()->kind);
}

/// A bound of a slice as an index between `low` and `high`.
int64_t bounded(const Value& bound, int64_t preset, int64_t size, int64_t low, int64_t high) {
  if (bound.is_none()) {
    return preset;
  }
  int64_t at = as_integer(bound, "a slice index");
  at = at < 0 ? at + size : at;
  return std::clamp(at, low, high);
}

}  // namespace

Value arithmetic(const std::string& name, const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) {
    if (left.is<double>() || right.is<double>()) {
      return with_floats(name[0], name.size() == 2, as_double(left), as_double(right));
    }
    return with_integers(name, as_integer(left, ""), as_integer(right, ""));
  }
  if (name == "+") {
    return joined(left, right);
  }
  if (name == "%" && left.is_text()) {
    return Value::text(percent_format(left.as_text(), right));
  }
  bool left_counts = left.is_integer() || left.is<bool>();
  bool right_counts = right.is_integer() || right.is<bool>();
  if (name == "*" && right_counts && can_repeat(left)) {
    return repeated(left, as_integer(right, ""));
  }
  if (name == "*" && left_counts && can_repeat(right)) {
    return repeated(right, as_integer(left, ""));
  }
  fail_operands(name, left, right);
}

Value slice(const Value& object, const Value& start, const Value& stop, const Value& step) {
  const Sequence* sequence = object.sequence();
  bool has_items = sequence != nullptr && sequence->kind != SequenceKind::Generator &&
                   sequence->kind != SequenceKind::View;
  if (object.is_undefined()) {
    fail(*std::get<Undefined>(object.data).why);
  }
  if (!object.is_text() && !has_items) {
    return Value::undefined("'" + type_name(object) + " object' has no such slice");
  }
  std::vector<std::string_view> letters;
  if (object.is_text()) {
    letters = character_list(object.as_text());
  }
  auto size = static_cast<int64_t>(sequence == nullptr ? letters.size() : sequence->items.size());
  int64_t by = step.is_none() ? 1 : as_integer(step, "a slice step");
  if (by == 0) {
    fail("slice step cannot be zero");
  }
  by = std::clamp(by, -size - 1, size + 1);
  bool up = by > 0;
  int64_t at = bounded(start, up ? 0 : size - 1, size, up ? 0 : -1, up ? size : size - 1);
  int64_t end = bounded(stop, up ? size : -1, size, up ? 0 : -1, up ? size : size - 1);
  std::string text;
  std::vector<Value> items;
  for (; up ? at < end : at > end; at += by) {
    if (sequence == nullptr) {
      text += letters[static_cast<size_t>(at)];
    } else {
      items.push_back(sequence->items[static_cast<size_t>(at)]);
    }
  }
  return sequence == nullptr ? Value::text(std::move(text))
                             : make_sequence(std::move(items), sequence->kind);
}

}  // namespace oneshot::jinja
