// Values as text: Python's str and repr, and json.dumps.
#pragma once

#include <optional>
#include <string>

#include "engine/text/jinja_value.h"

namespace oneshot::jinja {

/// Python's repr of a float: the shortest digits that read back the same.
std::string float_text(double value);
/// Python's str. throws Failure (Unsupported) for values whose text is an address in memory.
std::string to_text(const Value& value);
/// Python's repr.
std::string repr(const Value& value);

struct JsonStyle {
  std::optional<std::string> indent;  // of one level; absent: one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool ensure_ascii = false;
  bool sort_keys = false;
};
/// Python's json.dumps. throws Failure for values that JSON cannot hold.
std::string to_json(const Value& value, const JsonStyle& style);

}  // namespace oneshot::jinja
