// Members, keys and positions of a template's values.
#include <algorithm>

#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_print.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

/// The type as messages about missing attributes have it.
std::string owner(const Value& object) {
  if (object.is_none()) {
    return "None";
  }
  return (object.is<Namespace*>() ? "jinja2.utils.Namespace" : type_name(object)) + " object";
}

Value missing(const Value& object, const Value& key) {
  if (key.is_text()) {
    return Value::undefined("'" + owner(object) + "' has no attribute '" + key.as_text() + "'");
  }
  std::string shown = key.is_number() || key.is_none() ? repr(key) : "of this type";
  return Value::undefined(owner(object) + " has no element " + shown);
}

/// What changes a shared value and what belongs to Python itself: the sandbox refuses it when it is
/// called.
bool is_refused(const Value& object, std::string_view name) {
  static constexpr std::string_view kList[] = {
      "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"};
  static constexpr std::string_view kDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  auto holds = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  const Sequence* sequence = object.sequence();
  bool is_of_python = name.size() > 4 && name.starts_with("__") && name.ends_with("__");
  return is_of_python ||
         (sequence != nullptr && sequence->kind == SequenceKind::List && holds(kList)) ||
         (object.is_dict() && holds(kDict));
}

Value loop_member(const Loop& loop, const Value& self, const std::string& name) {
  auto size = static_cast<int64_t>(loop.items->items.size());
  auto index = static_cast<int64_t>(loop.index);
  const std::pair<std::string_view, int64_t> numbers[] = {{"index", index + 1},
                                                          {"index0", index},
                                                          {"length", size},
                                                          {"revindex", size - index},
                                                          {"revindex0", size - index - 1},
                                                          {"depth", 1},
                                                          {"depth0", 0}};
  for (const auto& [known, number] : numbers) {
    if (name == known) {
      return Value::integer(number);
    }
  }
  if (name == "first" || name == "last") {
    return Value::boolean(index == (name == "first" ? 0 : size - 1));
  }
  if (name == "previtem" || name == "nextitem") {
    bool before = name == "previtem";
    int64_t at = before ? index - 1 : index + 1;
    return at >= 0 && at < size
               ? loop.items->items[static_cast<size_t>(at)]
               : Value::undefined(before ? "there is no previous item" : "there is no next item");
  }
  if (name == "cycle") {
    auto made = std::make_shared<Callable>();
    made->name = name;
    made->builtin = find_function("loop.cycle");
    made->self = self;
    return {Value::CallablePtr(std::move(made))};
  }
  if (name == "changed") {
    fail_unsupported("'loop.changed'");
  }
  return Value::undefined("'LoopContext' object has no attribute '" + name + "'");
}

/// The item of a list or the character of a text; null for a position outside of it.
std::optional<Value> at_position(const Value& object, const Value& key) {
  const Sequence* sequence = object.sequence();
  bool has_positions = sequence != nullptr && sequence->kind != SequenceKind::Generator &&
                       sequence->kind != SequenceKind::View;
  if ((!object.is_text() && !has_positions) || !(key.is_integer() || key.is<bool>())) {
    return std::nullopt;
  }
  int64_t size = length(object);
  int64_t at = as_integer(key, "");
  at = at < 0 ? at + size : at;
  if (at < 0 || at >= size) {
    return std::nullopt;
  }
  if (object.is_text()) {
    return Value::text(std::string(character_list(object.as_text())[static_cast<size_t>(at)]));
  }
  return sequence == nullptr ? std::nullopt
                             : std::optional(sequence->items[static_cast<size_t>(at)]);
}

/// A method or a member that Python would find as an attribute.
std::optional<Value> own_attribute(const Value& object, const std::string& name) {
  if (const auto* loop = std::get_if<Value::LoopPtr>(&object.data)) {
    return loop_member(**loop, object, name);
  }
  if (object.is<Namespace*>()) {
    const Value* found = std::get<Namespace*>(object.data)->find(name);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  if (is_refused(object, name)) {
    return Value::undefined("access to attribute '" + name + "' of '" + type_name(object) +
                            "' object is unsafe.");
  }
  const Builtin* method = find_method(object, name);
  if (method == nullptr) {
    return std::nullopt;
  }
  auto made = std::make_shared<Callable>();
  made->name = name;
  made->builtin = method;
  made->self = object;
  return Value{Value::CallablePtr(std::move(made))};
}

}  // namespace

Value Interpreter::attribute(const Value& object, const std::string& name) {
  if (object.is_undefined()) {
    fail(*std::get<Undefined>(object.data).why);
  }
  if (std::optional<Value> found = own_attribute(object, name)) {
    return *found;
  }
  if (object.is_dict()) {
    budget_.step(object.as_dict().entries.size() / 64);
    if (const Value* found = object.as_dict().find(Value::text(name))) {
      return *found;
    }
  }
  return missing(object, Value::text(name));
}

Value Interpreter::item(const Value& object, const Value& key) {
  if (object.is_undefined()) {
    fail(*std::get<Undefined>(object.data).why);
  }
  if (object.is_dict()) {
    budget_.step(object.as_dict().entries.size() / 64);
    if (const Value* found = object.as_dict().find(key)) {
      return *found;
    }
  }
  if (std::optional<Value> found = at_position(object, key)) {
    return *found;
  }
  if (key.is_text()) {
    if (std::optional<Value> found = own_attribute(object, key.as_text())) {
      return *found;
    }
  }
  return missing(object, key);
}

}  // namespace oneshot::jinja
