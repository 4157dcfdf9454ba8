// What template values hold: length, items, numbers, and how they come from JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/jinja_value.h"

namespace oneshot::jinja {

/// throws Failure for text that is not UTF-8, deep nesting and integers beyond 64 bits.
Value from_json(const nlohmann::ordered_json& json);

/// throws Failure for what has no length.
int64_t length(const Value& value);
/// What a loop over it visits: items, keys, characters. throws Failure for what has none.
std::vector<Value> items_of(const Value& value, Budget& budget);
/// Whether the container holds the item: Python's `in`.
bool contains(const Value& container, const Value& item, Budget& budget);

/// The name of the type as messages have it: "str", "list", "dict".
std::string type_name(const Value& value);
/// A number as a double; bool counts as 0 and 1. throws Failure for other values.
double as_double(const Value& value);
/// An integer or bool. throws Failure naming `what` for other values.
int64_t as_integer(const Value& value, std::string_view what);

}  // namespace oneshot::jinja
