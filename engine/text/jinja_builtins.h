// The filters, tests, functions and methods that a template may use.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/text/jinja_items.h"

namespace oneshot::jinja {

class Interpreter;

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// One use of a builtin, its arguments sorted to its parameters.
struct Use {
  Interpreter& run;
  Budget& budget;
  const Value& input;            // of a filter, a test, a method; undefined for a function
  const Arguments& arguments;    // as they were written
  std::vector<const Value*> at;  // one a parameter, null where it was not given

  bool has(size_t index) const { return index < at.size() && at[index] != nullptr; }
  const std::string& text(size_t index) const;  // throws Failure when it is no text
  int64_t integer(size_t index, int64_t preset) const;
  bool flag(size_t index) const { return has(index) && truthy(*at[index]); }
  std::string input_text() const;  // the input as Python's str
};

struct Builtin {
  std::string name;
  std::vector<std::string> parameters;
  size_t required = 0;    // so many of them must be given
  bool variadic = false;  // takes any arguments; `at` is then empty
  Value (*apply)(Use& use) = nullptr;
};

/// Each null when the engine has none of that name.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
const Builtin* find_function(std::string_view name);
const Builtin* find_method(const Value& object, std::string_view name);

/// throws Failure when the arguments do not fit the parameters, and what the builtin throws.
Value use_builtin(const Builtin& builtin,
                  Interpreter& run,
                  const Value& input,
                  const Arguments& arguments);

/// The value behind a path like "function.name" or "0.text"; `preset` stands for what is missing on
/// the way.
Value at_path(Use& use, const Value& value, const Value& path, const Value* preset = nullptr);

/// The tables, a file each.
const std::vector<Builtin>& text_filters();
const std::vector<Builtin>& sequence_filters();
const std::vector<Builtin>& selection_filters();
const std::vector<Builtin>& value_filters();
const std::vector<Builtin>& text_methods();
const std::vector<Builtin>& container_methods();

}  // namespace oneshot::jinja
