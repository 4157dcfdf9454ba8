#include "engine/text/jinja_builtins.h"

#include <algorithm>
#include <optional>

#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_print.h"

namespace oneshot::jinja {
namespace {

const Builtin* find_in(const std::vector<Builtin>& table, std::string_view name) {
  auto found = std::find_if(
      table.begin(), table.end(), [&](const Builtin& builtin) { return builtin.name == name; });
  return found == table.end() ? nullptr : &*found;
}

/// Python's own methods that the engine lacks: asking for one must not look like a missing key.
bool is_method_of_python(const Value& object, std::string_view name) {
  static constexpr std::string_view kText[] = {
      "casefold", "center",       "encode",    "expandtabs", "format",  "format_map", "isascii",
      "ljust",    "isidentifier", "isnumeric", "partition",  "rjust",   "rpartition", "swapcase",
      "zfill",    "isprintable",  "translate", "maketrans",  "isalnum", "isdecimal",  "istitle"};
  static constexpr std::string_view kDict[] = {"copy", "fromkeys"};
  static constexpr std::string_view kList[] = {"copy"};
  auto holds = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  if (object.is_text()) {
    return holds(kText);
  }
  return object.is_dict() ? holds(kDict) : object.sequence() != nullptr && holds(kList);
}

void take_named(const Builtin& builtin, const Arguments& arguments, std::vector<const Value*>& at) {
  for (const auto& [name, value] : arguments.named) {
    auto parameter = std::find(builtin.parameters.begin(), builtin.parameters.end(), name);
    if (parameter == builtin.parameters.end()) {
      fail("'" + builtin.name + "' got an unexpected keyword argument '" + name + "'");
    }
    const Value*& slot = at[static_cast<size_t>(parameter - builtin.parameters.begin())];
    if (slot != nullptr) {
      fail("'" + builtin.name + "' got multiple values for argument '" + name + "'");
    }
    slot = &value;
  }
}

}  // namespace

const std::string& Use::text(size_t index) const {
  if (!has(index) || !at[index]->is_text()) {
    fail("an argument must be str" +
         (has(index) ? ", not " + type_name(*at[index]) : std::string()));
  }
  return at[index]->as_text();
}

int64_t Use::integer(size_t index, int64_t preset) const {
  return has(index) ? as_integer(*at[index], "an argument") : preset;
}

std::string Use::input_text() const {
  budget.step(input.is_text() ? input.as_text().size() / 64 : 1);
  return to_text(input);
}

const Builtin* find_filter(std::string_view name) {
  for (const auto* table :
       {&text_filters(), &sequence_filters(), &selection_filters(), &value_filters()}) {
    if (const Builtin* found = find_in(*table, name)) {
      return found;
    }
  }
  return nullptr;
}

const Builtin* find_method(const Value& object, std::string_view name) {
  if (is_method_of_python(object, name)) {
    fail_unsupported("the method '" + std::string(name) + "' of a " + type_name(object));
  }
  if (object.is_text()) {
    return find_in(text_methods(), name);
  }
  bool for_dict = object.is_dict();
  if (!for_dict && object.sequence() == nullptr) {
    return nullptr;
  }
  const Builtin* found = find_in(container_methods(), name);
  bool is_of_list = name == "index" || name == "count";
  return found != nullptr && is_of_list != for_dict ? found : nullptr;
}

Value use_builtin(const Builtin& builtin,
                  Interpreter& run,
                  const Value& input,
                  const Arguments& arguments) {
  Use use{run, run.budget(), input, arguments, {}};
  if (!builtin.variadic) {
    use.at.resize(builtin.parameters.size());
    if (arguments.positional.size() > use.at.size()) {
      fail("'" + builtin.name + "' takes at most " + std::to_string(use.at.size()) +
           " arguments, " + std::to_string(arguments.positional.size()) + " were given");
    }
    for (size_t i = 0; i < arguments.positional.size(); ++i) {
      use.at[i] = &arguments.positional[i];
    }
    take_named(builtin, arguments, use.at);
    for (size_t i = 0; i < builtin.required; ++i) {
      if (use.at[i] == nullptr) {
        fail("'" + builtin.name + "' misses its argument '" + builtin.parameters[i] + "'");
      }
    }
  }
  run.budget().step(input.is_text() ? input.as_text().size() / 64 : 0);
  return builtin.apply(use);
}

}  // namespace oneshot::jinja
