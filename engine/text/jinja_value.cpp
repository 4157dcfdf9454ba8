#include "engine/text/jinja_value.h"

#include <algorithm>
#include <string>

#include "engine/text/jinja_items.h"

namespace oneshot::jinja {
namespace {

int depth_of(const Value& value) {
  if (const Sequence* sequence = value.sequence()) {
    return sequence->depth;
  }
  return value.is_dict() ? value.as_dict().depth : 0;
}

int deeper(int depth) {
  if (depth >= kDeepestValue) {
    fail("values are nested deeper than " + std::to_string(kDeepestValue));
  }
  return depth + 1;
}

bool equal_items(const Sequence& left, const Sequence& right, Budget& budget) {
  return left.kind == right.kind && left.kind != SequenceKind::Generator &&
         std::equal(left.items.begin(),
                    left.items.end(),
                    right.items.begin(),
                    right.items.end(),
                    [&](const Value& a, const Value& b) { return equal(a, b, budget); });
}

bool equal_entries(const Dict& left, const Dict& right, Budget& budget) {
  if (left.entries.size() != right.entries.size()) {
    return false;
  }
  budget.step(left.entries.size() * left.entries.size() / 8);
  return std::all_of(left.entries.begin(), left.entries.end(), [&](const auto& entry) {
    const Value* other = right.find(entry.first);
    return other != nullptr && equal(entry.second, *other, budget);
  });
}

bool equal_numbers(const Value& left, const Value& right) {
  if (left.is<double>() || right.is<double>()) {
    return as_double(left) == as_double(right);
  }
  return as_integer(left, "") == as_integer(right, "");
}

/// Keys are never containers that hold containers, so this needs no budget.
bool equal_keys(const Value& left, const Value& right) {
  if (left.is_text() && right.is_text()) {
    return left.as_text() == right.as_text();
  }
  if (left.is_number() && right.is_number()) {
    return equal_numbers(left, right);
  }
  return left.is_none() && right.is_none();
}

template <class T>
int order(const T& left, const T& right) {
  return left < right ? -1 : (right < left ? 1 : 0);
}

}  // namespace

Value Value::undefined(std::string why) {
  return {Undefined{std::make_shared<const std::string>(std::move(why))}};
}

Value Value::text(std::string value) {
  return {std::make_shared<const std::string>(std::move(value))};
}

const Sequence* Value::sequence() const {
  const auto* held = std::get_if<SequencePtr>(&data);
  return held == nullptr ? nullptr : held->get();
}

const Value* Dict::find(const Value& key) const {
  auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) {
    return equal_keys(entry.first, key);
  });
  return found == entries.end() ? nullptr : &found->second;
}

void Dict::set(const Value& key, Value value) {
  if (!key.is_text() && !key.is_number() && !key.is_none()) {
    fail_unsupported("a dictionary key of type " + type_name(key));
  }
  auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) {
    return equal_keys(entry.first, key);
  });
  if (found == entries.end()) {
    entries.emplace_back(key, std::move(value));
  } else {
    found->second = std::move(value);
  }
}

const Value* Namespace::find(std::string_view name) const {
  auto found = std::find_if(
      members.begin(), members.end(), [&](const auto& member) { return member.first == name; });
  return found == members.end() ? nullptr : &found->second;
}

Value make_sequence(std::vector<Value> items, SequenceKind kind) {
  auto made = std::make_shared<Sequence>();
  made->items = std::move(items);
  made->kind = kind;
  int deepest = 0;
  for (const Value& item : made->items) {
    deepest = std::max(deepest, depth_of(item));
  }
  made->depth = deeper(deepest);
  return {Value::SequencePtr(std::move(made))};
}

Value make_dict(Dict dict) {
  int deepest = 0;
  for (const auto& entry : dict.entries) {
    deepest = std::max(deepest, depth_of(entry.second));
  }
  dict.depth = deeper(deepest);
  return {Value::DictPtr(std::make_shared<Dict>(std::move(dict)))};
}

bool truthy(const Value& value) {
  if (const bool* held = std::get_if<bool>(&value.data)) {
    return *held;
  }
  if (value.is_number()) {
    return as_double(value) != 0;
  }
  if (value.is_text()) {
    return !value.as_text().empty();
  }
  if (const Sequence* sequence = value.sequence()) {
    return sequence->kind == SequenceKind::Generator || !sequence->items.empty();
  }
  if (value.is_dict()) {
    return !value.as_dict().entries.empty();
  }
  return !value.is_undefined() && !value.is_none();
}

bool equal(const Value& left, const Value& right, Budget& budget) {
  budget.step();
  if (left.is_number() && right.is_number()) {
    return equal_numbers(left, right);
  }
  if (left.data.index() != right.data.index()) {
    return false;
  }
  if (left.is_text()) {
    budget.step(left.as_text().size() / 256);
    return left.as_text() == right.as_text();
  }
  if (left.sequence() != nullptr) {
    return left.sequence() == right.sequence() ||
           equal_items(*left.sequence(), *right.sequence(), budget);
  }
  if (left.is_dict()) {
    return equal_entries(left.as_dict(), right.as_dict(), budget);
  }
  if (left.is<Namespace*>()) {
    return std::get<Namespace*>(left.data) == std::get<Namespace*>(right.data);
  }
  return left.is_none() || left.is_undefined();
}

int compare(const Value& left, const Value& right, Budget& budget) {
  budget.step();
  if (left.is_text() && right.is_text()) {
    budget.step(left.as_text().size() / 256);
    return order(left.as_text(), right.as_text());  // UTF-8 keeps the order of code points
  }
  if (left.is_number() && right.is_number()) {
    if (left.is<double>() || right.is<double>()) {
      return order(as_double(left), as_double(right));
    }
    return order(as_integer(left, ""), as_integer(right, ""));
  }
  const Sequence* a = left.sequence();
  const Sequence* b = right.sequence();
  if (a == nullptr || b == nullptr || a->kind != b->kind) {
    if (left.is_undefined() || right.is_undefined()) {
      fail(*std::get<Undefined>((left.is_undefined() ? left : right).data).why);
    }
    fail("no order between " + type_name(left) + " and " + type_name(right));
  }
  for (size_t i = 0; i < std::min(a->items.size(), b->items.size()); ++i) {
    if (!equal(a->items[i], b->items[i], budget)) {
      return compare(a->items[i], b->items[i], budget);
    }
  }
  return order(a->items.size(), b->items.size());
}

}  // namespace oneshot::jinja
