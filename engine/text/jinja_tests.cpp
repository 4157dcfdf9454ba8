// The tests of `is` and of select, reject and their like.
#include <algorithm>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_print.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

template <bool (*Holds)(const Value&)>
Value plain(Use& use) {
  return Value::boolean(Holds(use.input));
}

bool is_defined(const Value& value) {
  return !value.is_undefined();
}
bool is_undefined(const Value& value) {
  return value.is_undefined();
}
bool is_none(const Value& value) {
  return value.is_none();
}
bool is_boolean(const Value& value) {
  return value.is<bool>();
}
bool is_true(const Value& value) {
  return value.is<bool>() && truthy(value);
}
bool is_false(const Value& value) {
  return value.is<bool>() && !truthy(value);
}
bool is_integer(const Value& value) {
  return value.is_integer();
}
bool is_float(const Value& value) {
  return value.is<double>();
}
bool is_number(const Value& value) {
  return value.is_number();
}
bool is_string(const Value& value) {
  return value.is_text();
}
bool is_mapping(const Value& value) {
  return value.is_dict();
}
bool is_callable(const Value& value) {
  return value.is<Value::CallablePtr>() || value.is_undefined() || value.is<Value::LoopPtr>();
}
bool is_iterable(const Value& value) {
  return value.is_text() || value.is_dict() || value.sequence() != nullptr ||
         value.is_undefined() || value.is<Value::LoopPtr>();
}
bool is_sequence(const Value& value) {
  const Sequence* sequence = value.sequence();
  return value.is_text() || value.is_dict() || value.is_undefined() ||
         (sequence != nullptr && sequence->kind != SequenceKind::Generator &&
          sequence->kind != SequenceKind::View);
}

/// Whether the text has cased letters and all of them are of one case.
bool has_case(const Value& value, bool upper) {
  bool cased = false;
  std::string text = to_text(value);
  for (std::string_view character : characters(text)) {
    char32_t point = code_point(character);
    bool is_lower = upper_of(point) != point || point == 0xDF;
    bool is_upper = lower_of(point) != point;
    if (upper ? is_lower : is_upper) {
      return false;
    }
    cased = cased || is_lower || is_upper;
  }
  return cased;
}
bool is_lower(const Value& value) {
  return has_case(value, false);
}
bool is_upper(const Value& value) {
  return has_case(value, true);
}

Value rest_of(Use& use, const Value& divisor) {
  if (!use.input.is_number()) {
    as_integer(use.input, "the tested value");
  }
  return arithmetic("%", use.input, divisor);
}
Value odd(Use& use) {
  return Value::boolean(equal(rest_of(use, Value::integer(2)), Value::integer(1), use.budget));
}
Value even(Use& use) {
  return Value::boolean(!truthy(rest_of(use, Value::integer(2))));
}
Value divisible(Use& use) {
  return Value::boolean(!truthy(rest_of(use, *use.at[0])));
}

Value equals(Use& use) {
  return Value::boolean(equal(use.input, *use.at[0], use.budget));
}
Value differs(Use& use) {
  return Value::boolean(!equal(use.input, *use.at[0], use.budget));
}
Value less(Use& use) {
  return Value::boolean(compare(use.input, *use.at[0], use.budget) < 0);
}
Value more(Use& use) {
  return Value::boolean(compare(use.input, *use.at[0], use.budget) > 0);
}
Value at_most(Use& use) {
  return Value::boolean(compare(use.input, *use.at[0], use.budget) <= 0);
}
Value at_least(Use& use) {
  return Value::boolean(compare(use.input, *use.at[0], use.budget) >= 0);
}
Value is_in(Use& use) {
  return Value::boolean(contains(*use.at[0], use.input, use.budget));
}
Value same(Use& use) {
  const Value& other = *use.at[0];
  if (!(use.input.is<bool>() || use.input.is_none() || other.is<bool>() || other.is_none())) {
    fail_unsupported("the test 'sameas' of other values than true, false and none");
  }
  return Value::boolean(use.input.data.index() == other.data.index() &&
                        equal(use.input, other, use.budget));
}
Value names_filter(Use& use) {
  return Value::boolean(use.input.is_text() && find_filter(use.input.as_text()) != nullptr);
}
Value names_test(Use& use) {
  return Value::boolean(use.input.is_text() && find_test(use.input.as_text()) != nullptr);
}

const std::vector<Builtin>& tests() {
  static const std::vector<Builtin> kTests = [] {
    std::vector<Builtin> table = {
        {"defined", {}, 0, false, plain<is_defined>},
        {"undefined", {}, 0, false, plain<is_undefined>},
        {"none", {}, 0, false, plain<is_none>},
        {"boolean", {}, 0, false, plain<is_boolean>},
        {"true", {}, 0, false, plain<is_true>},
        {"false", {}, 0, false, plain<is_false>},
        {"integer", {}, 0, false, plain<is_integer>},
        {"float", {}, 0, false, plain<is_float>},
        {"number", {}, 0, false, plain<is_number>},
        {"string", {}, 0, false, plain<is_string>},
        {"mapping", {}, 0, false, plain<is_mapping>},
        {"callable", {}, 0, false, plain<is_callable>},
        {"iterable", {}, 0, false, plain<is_iterable>},
        {"sequence", {}, 0, false, plain<is_sequence>},
        {"lower", {}, 0, false, plain<is_lower>},
        {"upper", {}, 0, false, plain<is_upper>},
        {"odd", {}, 0, false, odd},
        {"even", {}, 0, false, even},
        {"divisibleby", {"num"}, 1, false, divisible},
        {"in", {"seq"}, 1, false, is_in},
        {"sameas", {"other"}, 1, false, same},
        {"filter", {}, 0, false, names_filter},
        {"test", {}, 0, false, names_test},
    };
    using Apply = Value (*)(Use&);
    const std::pair<std::vector<const char*>, Apply> compared[] = {
        {{"eq", "equalto", "=="}, equals},
        {{"ne", "!="}, differs},
        {{"lt", "lessthan", "<"}, less},
        {{"gt", "greaterthan", ">"}, more},
        {{"le", "<="}, at_most},
        {{"ge", ">="}, at_least},
    };
    for (const auto& [names, apply] : compared) {
      for (const char* name : names) {
        table.push_back({name, {"other"}, 1, false, apply});
      }
    }
    return table;
  }();
  return kTests;
}

}  // namespace

const Builtin* find_test(std::string_view name) {
  auto found = std::find_if(
      tests().begin(), tests().end(), [&](const Builtin& builtin) { return builtin.name == name; });
  return found == tests().end() ? nullptr : &*found;
}

}  // namespace oneshot::jinja
