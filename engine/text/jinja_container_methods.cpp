// Python's methods of dictionaries and lists, as far as they change nothing.
#include <algorithm>

#include "engine/text/jinja_builtins.h"

namespace oneshot::jinja {
namespace {

enum class Part { Keys, Values, Both };

template <Part Wanted>
Value view(Use& use) {
  std::vector<Value> made;
  for (const auto& [key, value] : use.input.as_dict().entries) {
    made.push_back(Wanted == Part::Both ? make_sequence({key, value}, SequenceKind::Tuple)
                                        : (Wanted == Part::Keys ? key : value));
  }
  use.budget.step(made.size() / 4);
  return make_sequence(std::move(made), SequenceKind::View);
}

Value get(Use& use) {
  const Value* found = use.input.as_dict().find(*use.at[0]);
  return found != nullptr ? *found : (use.has(1) ? *use.at[1] : Value::none());
}

Value index(Use& use) {
  const std::vector<Value>& items = use.input.sequence()->items;
  auto found = std::find_if(items.begin(), items.end(), [&](const Value& item) {
    return equal(item, *use.at[0], use.budget);
  });
  if (found == items.end()) {
    fail("the value is not in the list");
  }
  return Value::integer(found - items.begin());
}

Value count(Use& use) {
  const std::vector<Value>& items = use.input.sequence()->items;
  return Value::integer(std::count_if(items.begin(), items.end(), [&](const Value& item) {
    return equal(item, *use.at[0], use.budget);
  }));
}

}  // namespace

const std::vector<Builtin>& container_methods() {
  static const std::vector<Builtin> kMethods = {
      {"keys", {}, 0, false, view<Part::Keys>},
      {"values", {}, 0, false, view<Part::Values>},
      {"items", {}, 0, false, view<Part::Both>},
      {"get", {"key", "default"}, 1, false, get},
      {"index", {"value"}, 1, false, index},
      {"count", {"value"}, 1, false, count},
  };
  return kMethods;
}

}  // namespace oneshot::jinja
