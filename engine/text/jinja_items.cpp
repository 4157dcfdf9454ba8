#include "engine/text/jinja_items.h"

#include <algorithm>

#include "engine/checkpoint/message_text.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

std::string checked_utf8(const std::string& text) {
  if (!is_utf8(text)) {
    fail("a text of the conversation is not UTF-8");
  }
  return text;
}

Value from_json_at(const nlohmann::ordered_json& json, int depth) {
  if (depth > kDeepestValue) {
    fail("values are nested deeper than " + std::to_string(kDeepestValue));
  }
  switch (json.type()) {
    case nlohmann::ordered_json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case nlohmann::ordered_json::value_t::number_unsigned:
      if (json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
        fail_unsupported("an integer of more than 64 bits");
      }
      return Value::integer(json.get<int64_t>());
    case nlohmann::ordered_json::value_t::number_integer:
      return Value::integer(json.get<int64_t>());
    case nlohmann::ordered_json::value_t::number_float:
      return {json.get<double>()};
    case nlohmann::ordered_json::value_t::string:
      return Value::text(checked_utf8(json.get_ref<const std::string&>()));
    case nlohmann::ordered_json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const auto& item : json) {
        items.push_back(from_json_at(item, depth + 1));
      }
      return make_sequence(std::move(items));
    }
    case nlohmann::ordered_json::value_t::object: {
      Dict dict;
      for (const auto& [key, value] : json.items()) {
        dict.entries.emplace_back(Value::text(checked_utf8(key)), from_json_at(value, depth + 1));
      }
      return make_dict(std::move(dict));
    }
    default:
      return Value::none();
  }
}

}  // namespace

Value from_json(const nlohmann::ordered_json& json) {
  return from_json_at(json, 1);
}

int64_t length(const Value& value) {
  if (value.is_text()) {
    return static_cast<int64_t>(count_characters(value.as_text()));
  }
  if (const Sequence* sequence = value.sequence();
      sequence != nullptr && sequence->kind != SequenceKind::Generator) {
    return static_cast<int64_t>(sequence->items.size());
  }
  if (value.is_dict()) {
    return static_cast<int64_t>(value.as_dict().entries.size());
  }
  if (value.is_undefined()) {
    return 0;
  }
  fail("object of type '" + type_name(value) + "' has no len()");
}

std::vector<Value> items_of(const Value& value, Budget& budget) {
  std::vector<Value> items;
  if (const Sequence* sequence = value.sequence()) {
    if (!sequence->consumed) {
      items = sequence->items;
      sequence->consumed = sequence->kind == SequenceKind::Generator;
    }
  } else if (value.is_dict()) {
    for (const auto& entry : value.as_dict().entries) {
      items.push_back(entry.first);
    }
  } else if (value.is_text()) {
    budget.hold(value.as_text().size() * sizeof(Value));
    for (std::string_view character : characters(value.as_text())) {
      items.push_back(Value::text(std::string(character)));
    }
  } else if (!value.is_undefined()) {
    fail("'" + type_name(value) + "' object is not iterable");
  }
  budget.step(items.size() / 4);
  budget.hold(items.size() * sizeof(Value));
  return items;
}

bool contains(const Value& container, const Value& item, Budget& budget) {
  budget.step();
  if (container.is_text()) {
    if (!item.is_text()) {
      fail("'in <string>' requires string as left operand, not " + type_name(item));
    }
    budget.step(container.as_text().size() / 64);
    return container.as_text().find(item.as_text()) != std::string::npos;
  }
  if (container.is_dict()) {
    budget.step(container.as_dict().entries.size() / 8);
    return container.as_dict().find(item) != nullptr;
  }
  std::vector<Value> items = items_of(container, budget);
  return std::any_of(
      items.begin(), items.end(), [&](const Value& held) { return equal(held, item, budget); });
}

std::string type_name(const Value& value) {
  static constexpr const char* kNames[] = {"Undefined",
                                           "NoneType",
                                           "bool",
                                           "int",
                                           "float",
                                           "str",
                                           "",
                                           "dict",
                                           "Namespace",
                                           "LoopContext",
                                           "function"};
  if (const Sequence* sequence = value.sequence()) {
    static constexpr const char* kKinds[] = {"list", "tuple", "generator", "dict_view", "range"};
    return kKinds[static_cast<int>(sequence->kind)];
  }
  return kNames[value.data.index()];
}

double as_double(const Value& value) {
  if (const double* held = std::get_if<double>(&value.data)) {
    return *held;
  }
  return static_cast<double>(as_integer(value, "a number"));
}

int64_t as_integer(const Value& value, std::string_view what) {
  if (const bool* held = std::get_if<bool>(&value.data)) {
    return *held ? 1 : 0;
  }
  if (const int64_t* held = std::get_if<int64_t>(&value.data)) {
    return *held;
  }
  if (value.is_undefined()) {
    fail(*std::get<Undefined>(value.data).why);
  }
  fail(std::string(what) + " must be an integer, not " + type_name(value));
}

}  // namespace oneshot::jinja
