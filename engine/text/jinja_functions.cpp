// The functions of the environment: range, dict, namespace, raise_exception, strftime_now.
#include <algorithm>

#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_print.h"

namespace oneshot::jinja {
namespace {

Value make_range(Use& use) {
  constexpr int64_t kMost = 100'000;  // as the sandbox has it
  int64_t first = use.integer(0, 0);
  int64_t start = use.has(1) ? first : 0;
  int64_t stop = use.has(1) ? use.integer(1, 0) : first;
  int64_t step = use.integer(2, 1);
  if (step == 0) {
    fail("range() arg 3 must not be zero");
  }
  std::vector<Value> items;
  for (int64_t at = start; step > 0 ? at < stop : at > stop;) {
    items.push_back(Value::integer(at));
    if (static_cast<int64_t>(items.size()) > kMost) {
      fail("Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
    }
    if (__builtin_add_overflow(at, step, &at)) {
      break;
    }
  }
  use.budget.step(items.size() / 4);
  return make_sequence(std::move(items), SequenceKind::Range);
}

Dict dict_of(Use& use) {
  Dict dict;
  const auto& positional = use.arguments.positional;
  if (positional.size() > 1 || (positional.size() == 1 && !positional[0].is_dict())) {
    fail_unsupported("this argument of dict or namespace");
  }
  if (!positional.empty()) {
    dict = positional[0].as_dict();
  }
  for (const auto& [name, value] : use.arguments.named) {
    dict.set(Value::text(name), value);
  }
  return dict;
}

Value make_dictionary(Use& use) {
  return make_dict(dict_of(use));
}

Value make_namespace(Use& use) {
  std::vector<std::pair<std::string, Value>> members;
  for (auto& [key, value] : dict_of(use).entries) {
    if (key.is_text()) {
      members.emplace_back(key.as_text(), value);
    }
  }
  return use.run.make_namespace(std::move(members));
}

Value raise_exception(Use& use) {
  fail(to_text(*use.at[0]));
}

Value strftime_now(Use& use) {
  const std::string& format = use.text(0);
  if (format.empty()) {
    return Value::text("");
  }
  if (format.size() > 1000) {
    fail("the format of strftime_now is longer than 1000 bytes");
  }
  std::string text(200'000, '\0');
  size_t size = std::strftime(text.data(), text.size(), format.c_str(), &*use.run.now());
  text.resize(size);
  return Value::text(std::move(text));
}

Value cycle(Use& use) {
  const auto& choices = use.arguments.positional;
  if (choices.empty()) {
    fail("no items for cycling given");
  }
  return choices[std::get<Value::LoopPtr>(use.input.data)->index % choices.size()];
}

}  // namespace

const Builtin* find_function(std::string_view name) {
  static const std::vector<Builtin> kFunctions = {
      {"range", {"start", "stop", "step"}, 1, false, make_range},
      {"dict", {}, 0, true, make_dictionary},
      {"namespace", {}, 0, true, make_namespace},
      {"raise_exception", {"message"}, 1, false, raise_exception},
      {"strftime_now", {"format"}, 1, false, strftime_now},
      {"loop.cycle", {}, 0, true, cycle},
  };
  auto found = std::find_if(kFunctions.begin(), kFunctions.end(), [&](const Builtin& builtin) {
    return builtin.name == name;
  });
  if (found == kFunctions.end() && (name == "lipsum" || name == "cycler" || name == "joiner")) {
    fail_unsupported("the function '" + std::string(name) + "'");
  }
  return found == kFunctions.end() ? nullptr : &*found;
}

}  // namespace oneshot::jinja
