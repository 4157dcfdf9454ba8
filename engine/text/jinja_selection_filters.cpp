// map, select, reject and what finds the attributes that they look at.
#include <algorithm>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"

namespace oneshot::jinja {
namespace {

/// What map, select and their like visit: nothing where the input is false.
std::vector<Value> visited(Use& use) {
  return truthy(use.input) ? items_of(use.input, use.budget) : std::vector<Value>();
}

/// The arguments behind the first `count`.
Arguments behind(const Arguments& arguments, size_t count) {
  Arguments rest;
  rest.named = arguments.named;
  for (size_t i = count; i < arguments.positional.size(); ++i) {
    rest.positional.push_back(arguments.positional[i]);
  }
  return rest;
}

const Value* named(const Arguments& arguments, std::string_view name) {
  auto found = std::find_if(arguments.named.begin(),
                            arguments.named.end(),
                            [&](const auto& argument) { return argument.first == name; });
  return found == arguments.named.end() ? nullptr : &found->second;
}

Value map(Use& use) {
  const auto& positional = use.arguments.positional;
  const Value* attribute = named(use.arguments, "attribute");
  std::vector<Value> made;
  const Builtin* filter = nullptr;
  if (attribute == nullptr || !positional.empty()) {
    if (positional.empty() || !positional[0].is_text()) {
      fail("map requires a filter argument");
    }
    filter = find_filter(positional[0].as_text());
    if (filter == nullptr) {
      fail_unsupported("the filter '" + positional[0].as_text() + "'");
    }
  }
  for (const Value& value : visited(use)) {
    use.budget.step();
    if (filter != nullptr) {
      made.push_back(use_builtin(*filter, use.run, value, behind(use.arguments, 1)));
      continue;
    }
    made.push_back(at_path(use, value, *attribute, named(use.arguments, "default")));
  }
  return make_sequence(std::move(made), SequenceKind::Generator);
}

Value choose(Use& use, bool by_attribute, bool wanted) {
  const auto& positional = use.arguments.positional;
  size_t first = by_attribute ? 1 : 0;
  if (positional.size() < first) {
    fail("Missing parameter for attribute name");
  }
  const Builtin* test = nullptr;
  if (positional.size() > first) {
    if (!positional[first].is_text()) {
      fail("the name of a test must be a text");
    }
    test = find_test(positional[first].as_text());
    if (test == nullptr) {
      fail_unsupported("the test '" + positional[first].as_text() + "'");
    }
  }
  std::vector<Value> kept;
  for (const Value& value : visited(use)) {
    use.budget.step();
    Value tested = by_attribute ? at_path(use, value, positional[0]) : value;
    Value result = test == nullptr
                       ? tested
                       : use_builtin(*test, use.run, tested, behind(use.arguments, first + 1));
    if (truthy(result) == wanted) {
      kept.push_back(value);
    }
  }
  return make_sequence(std::move(kept), SequenceKind::Generator);
}

template <bool ByAttribute, bool Wanted>
Value chosen(Use& use) {
  return choose(use, ByAttribute, Wanted);
}

}  // namespace

Value at_path(Use& use, const Value& value, const Value& path, const Value* preset) {
  auto step = [&](const Value& object, const Value& key) {
    Value found = use.run.item(object, key);
    bool replaces = found.is_undefined() && preset != nullptr && !preset->is_none();
    return replaces ? *preset : found;
  };
  if (!path.is_text()) {
    return step(value, path);
  }
  Value found = value;
  std::string_view rest = path.as_text();
  while (true) {
    size_t dot = rest.find('.');
    std::string part(rest.substr(0, dot));
    bool is_number =
        !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == part.npos;
    found = step(found, is_number ? Value::integer(std::stoll(part)) : Value::text(part));
    if (dot == std::string_view::npos) {
      return found;
    }
    rest = rest.substr(dot + 1);
  }
}

const std::vector<Builtin>& selection_filters() {
  static const std::vector<Builtin> kFilters = {
      {"map", {}, 0, true, map},
      {"select", {}, 0, true, chosen<false, true>},
      {"reject", {}, 0, true, chosen<false, false>},
      {"selectattr", {}, 0, true, chosen<true, true>},
      {"rejectattr", {}, 0, true, chosen<true, false>},
  };
  return kFilters;
}

}  // namespace oneshot::jinja
