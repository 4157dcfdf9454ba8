// Filters of sequences and mappings.
#include <algorithm>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_print.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

/// What sort, unique, min and max compare: lower case unless `case_sensitive`.
Value sort_key(Use& use, const Value& value, bool case_sensitive, const Value* attribute) {
  bool by_attribute = attribute != nullptr && !attribute->is_none();
  if (by_attribute && attribute->is_text() && attribute->as_text().find(',') != std::string::npos) {
    fail_unsupported("sorting by several attributes");
  }
  Value key = by_attribute ? at_path(use, value, *attribute) : value;
  return key.is_text() && !case_sensitive ? Value::text(to_lower(key.as_text())) : key;
}

Value length_of(Use& use) {
  return Value::integer(length(use.input));
}

Value join(Use& use) {
  std::string separator = use.has(0) ? to_text(*use.at[0]) : "";
  std::string text;
  bool first = true;
  for (const Value& item : items_of(use.input, use.budget)) {
    append_checked(text, first ? "" : separator);
    bool by_attribute = use.has(1) && !use.at[1]->is_none();
    append_checked(text, to_text(by_attribute ? at_path(use, item, *use.at[1]) : item));
    first = false;
  }
  return Value::text(std::move(text));
}

Value first_of(Use& use) {
  std::vector<Value> items = items_of(use.input, use.budget);
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : items.front();
}

Value last_of(Use& use) {
  length(use.input);  // a generator has no end to start from
  std::vector<Value> items = items_of(use.input, use.budget);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value as_list(Use& use) {
  return make_sequence(items_of(use.input, use.budget));
}

Value reversed(Use& use) {
  if (use.input.is_text()) {
    std::string text;
    std::vector<std::string_view> letters = character_list(use.input.as_text());
    for (auto letter = letters.rbegin(); letter != letters.rend(); ++letter) {
      text += *letter;
    }
    return Value::text(std::move(text));
  }
  bool was_generator =
      use.input.sequence() != nullptr && use.input.sequence()->kind == SequenceKind::Generator;
  std::vector<Value> items = items_of(use.input, use.budget);
  return make_sequence(std::vector<Value>(items.rbegin(), items.rend()),
                       was_generator ? SequenceKind::List : SequenceKind::Generator);
}

Value pairs_of(const Value& input, SequenceKind kind) {
  std::vector<Value> pairs;
  for (const auto& [key, value] : input.as_dict().entries) {
    pairs.push_back(make_sequence({key, value}, SequenceKind::Tuple));
  }
  return make_sequence(std::move(pairs), kind);
}

Value items(Use& use) {
  if (use.input.is_undefined()) {
    return make_sequence({}, SequenceKind::Generator);
  }
  if (!use.input.is_dict()) {
    fail("Can only get item pairs from a mapping.");
  }
  return pairs_of(use.input, SequenceKind::Generator);
}

template <class Key>
void sort_by(std::vector<Value>& values, bool backwards, Budget& budget, Key&& key_of) {
  std::vector<Value> keys;
  std::vector<size_t> order;
  for (const Value& value : values) {
    order.push_back(order.size());
    keys.push_back(key_of(value));
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    int difference = compare(keys[a], keys[b], budget);
    return backwards ? difference > 0 : difference < 0;
  });
  std::vector<Value> sorted_values;
  sorted_values.reserve(order.size());
  for (size_t at : order) {
    sorted_values.push_back(values[at]);
  }
  values = std::move(sorted_values);
}

Value sorted(Use& use) {
  std::vector<Value> values = items_of(use.input, use.budget);
  const Value* attribute = use.at[2];
  sort_by(values, use.flag(0), use.budget, [&](const Value& value) {
    return sort_key(use, value, use.flag(1), attribute);
  });
  return make_sequence(std::move(values));
}

Value dictsort(Use& use) {
  if (!use.input.is_dict()) {
    fail("'" + type_name(use.input) + "' object has no attribute 'items'");
  }
  std::string by = use.has(1) ? use.text(1) : "key";
  if (by != "key" && by != "value") {
    fail("You can only sort by either \"key\" or \"value\"");
  }
  std::vector<Value> values = pairs_of(use.input, SequenceKind::List).sequence()->items;
  sort_by(values, use.flag(2), use.budget, [&](const Value& pair) {
    return sort_key(use, pair.sequence()->items[by == "key" ? 0 : 1], use.flag(0), nullptr);
  });
  return make_sequence(std::move(values));
}

Value unique(Use& use) {
  std::vector<Value> kept;
  std::vector<Value> keys;
  for (const Value& value : items_of(use.input, use.budget)) {
    Value key = sort_key(use, value, use.flag(0), use.at[1]);
    if (std::none_of(keys.begin(), keys.end(), [&](const Value& known) {
          return equal(known, key, use.budget);
        })) {
      keys.push_back(std::move(key));
      kept.push_back(value);
    }
  }
  return make_sequence(std::move(kept), SequenceKind::Generator);
}

Value extreme(Use& use, bool largest) {
  std::vector<Value> values = items_of(use.input, use.budget);
  if (values.empty()) {
    return Value::undefined("No aggregated item, sequence was empty.");
  }
  Value best = values[0];
  Value best_key = sort_key(use, best, use.flag(0), use.at[1]);
  for (const Value& value : values) {
    Value key = sort_key(use, value, use.flag(0), use.at[1]);
    int order = compare(key, best_key, use.budget);
    if (largest ? order > 0 : order < 0) {
      best = value;
      best_key = key;
    }
  }
  return best;
}

Value smallest(Use& use) {
  return extreme(use, false);
}

Value largest(Use& use) {
  return extreme(use, true);
}

Value sum(Use& use) {
  Value total = use.has(1) ? *use.at[1] : Value::integer(0);
  for (const Value& value : items_of(use.input, use.budget)) {
    bool by_attribute = use.has(0) && !use.at[0]->is_none();
    total = arithmetic("+", total, by_attribute ? at_path(use, value, *use.at[0]) : value);
  }
  return total;
}

}  // namespace

const std::vector<Builtin>& sequence_filters() {
  static const std::vector<Builtin> kFilters = {
      {"length", {}, 0, false, length_of},
      {"count", {}, 0, false, length_of},
      {"join", {"d", "attribute"}, 0, false, join},
      {"first", {}, 0, false, first_of},
      {"last", {}, 0, false, last_of},
      {"list", {}, 0, false, as_list},
      {"reverse", {}, 0, false, reversed},
      {"items", {}, 0, false, items},
      {"sort", {"reverse", "case_sensitive", "attribute"}, 0, false, sorted},
      {"dictsort", {"case_sensitive", "by", "reverse"}, 0, false, dictsort},
      {"unique", {"case_sensitive", "attribute"}, 0, false, unique},
      {"min", {"case_sensitive", "attribute"}, 0, false, smallest},
      {"max", {"case_sensitive", "attribute"}, 0, false, largest},
      {"sum", {"attribute", "start"}, 0, false, sum},
  };
  return kFilters;
}

}  // namespace oneshot::jinja
