// The values of a template: Python's, as far as chat templates use them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/text/jinja_budget.h"

namespace oneshot::jinja {

class Value;
struct Sequence;
struct Dict;
struct Namespace;
struct Loop;
struct Callable;
struct Builtin;
struct MacroNode;
struct Scope;

struct None {};
struct Undefined {
  std::shared_ptr<const std::string> why;  // what using it says
};

/// One value; cheap to copy, the contents are shared and, but for Namespace, never changed.
class Value {
 public:
  using Text = std::shared_ptr<const std::string>;
  using SequencePtr = std::shared_ptr<const Sequence>;
  using DictPtr = std::shared_ptr<const Dict>;
  using LoopPtr = std::shared_ptr<const Loop>;
  using CallablePtr = std::shared_ptr<const Callable>;
  std::variant<Undefined,
               None,
               bool,
               int64_t,
               double,
               Text,
               SequencePtr,
               DictPtr,
               Namespace*,
               LoopPtr,
               CallablePtr>
      data;

  static Value none() { return {None{}}; }
  static Value undefined(std::string why);
  static Value boolean(bool value) { return {value}; }
  static Value integer(int64_t value) { return {value}; }
  static Value text(std::string value);
  template <class T>
  bool is() const {
    return std::holds_alternative<T>(data);
  }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  bool is_text() const { return is<Text>(); }
  bool is_integer() const { return is<int64_t>(); }
  bool is_number() const { return is<bool>() || is<int64_t>() || is<double>(); }
  bool is_dict() const { return is<DictPtr>(); }
  const std::string& as_text() const { return *std::get<Text>(data); }
  const Dict& as_dict() const { return *std::get<DictPtr>(data); }
  /// nullptr when it is no sequence.
  const Sequence* sequence() const;
};

enum class SequenceKind { List, Tuple, Generator, View, Range };

struct Sequence {
  std::vector<Value> items;
  SequenceKind kind = SequenceKind::List;
  int depth = 1;                  // of the containers in it
  mutable bool consumed = false;  // a generator gives its items once
};

struct Dict {
  std::vector<std::pair<Value, Value>> entries;  // in the order of insertion
  int depth = 1;
  const Value* find(const Value& key) const;
  void set(const Value& key, Value value);
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> members;
  const Value* find(std::string_view name) const;
};

/// The variable `loop`.
struct Loop {
  Value::SequencePtr items;
  size_t index = 0;
};

/// A function of the environment, a method with its object, or a macro.
struct Callable {
  std::string name;
  const Builtin* builtin = nullptr;  // of all but a macro
  Value self;                        // of a method
  const MacroNode* macro = nullptr;  // of a macro
  std::weak_ptr<Scope> scope;        // in which the macro was defined
};

/// Lists and dictionaries nested deeper than this are refused.
constexpr int kDeepestValue = 100;

Value make_sequence(std::vector<Value> items, SequenceKind kind = SequenceKind::List);
Value make_dict(Dict dict);

bool truthy(const Value& value);
bool equal(const Value& left, const Value& right, Budget& budget);
/// Less than 0, 0 or more than 0. throws Failure where Python has no order.
int compare(const Value& left, const Value& right, Budget& budget);

}  // namespace oneshot::jinja
