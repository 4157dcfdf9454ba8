// json.dumps of a template's values.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "engine/text/jinja_items.h"
#include "engine/text/jinja_print.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

std::string unicode_escape(char32_t point) {
  char buffer[16];
  if (point >= 0x10000) {
    unsigned rest = static_cast<unsigned>(point) - 0x10000;
    std::snprintf(
        buffer, sizeof(buffer), "\\u%04x\\u%04x", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
  } else {
    std::snprintf(buffer, sizeof(buffer), "\\u%04x", static_cast<unsigned>(point));
  }
  return buffer;
}

std::string escaped(char32_t point, std::string_view character, bool ensure_ascii) {
  switch (point) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\f':
      return "\\f";
    case '\b':
      return "\\b";
    default:
      return point < 0x20 || (ensure_ascii && point > 0x7E) ? unicode_escape(point)
                                                            : std::string(character);
  }
}

class JsonWriter {
 public:
  explicit JsonWriter(const JsonStyle& style) : style_(style) {}
  std::string made;

  void add(const Value& value, int level) {
    if (value.is_text()) {
      add_text(value.as_text());
    } else if (value.is_dict()) {
      add_dict(value.as_dict(), level);
    } else if (const Sequence* sequence = value.sequence();
               sequence != nullptr &&
               (sequence->kind == SequenceKind::List || sequence->kind == SequenceKind::Tuple)) {
      add_list(*sequence, level);
    } else {
      append_checked(made, scalar(value));
    }
  }

 private:
  static std::string scalar(const Value& value) {
    if (value.is_none()) {
      return "null";
    }
    if (value.is<bool>()) {
      return truthy(value) ? "true" : "false";
    }
    if (const double* held = std::get_if<double>(&value.data)) {
      if (std::isfinite(*held)) {
        return float_text(*held);
      }
      return std::isnan(*held) ? "NaN" : (*held < 0 ? "-Infinity" : "Infinity");
    }
    if (value.is_integer()) {
      return to_text(value);
    }
    fail("Object of type " + type_name(value) + " is not JSON serializable");
  }

  void add_text(const std::string& text) {
    append_checked(made, "\"");
    for (std::string_view character : characters(text)) {
      append_checked(made, escaped(code_point(character), character, style_.ensure_ascii));
    }
    append_checked(made, "\"");
  }

  void new_line(int level) {
    if (style_.indent) {
      append_checked(made, "\n");
      for (int i = 0; i < level; ++i) {
        append_checked(made, *style_.indent);
      }
    }
  }

  void add_list(const Sequence& list, int level) {
    append_checked(made, "[");
    for (size_t i = 0; i < list.items.size(); ++i) {
      append_checked(made, i == 0 ? "" : style_.item_separator);
      new_line(level + 1);
      add(list.items[i], level + 1);
    }
    if (!list.items.empty()) {
      new_line(level);
    }
    append_checked(made, "]");
  }

  void add_dict(const Dict& dict, int level) {
    auto entries = dict.entries;
    if (style_.sort_keys) {
      Budget budget;
      std::sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
        return compare(a.first, b.first, budget) < 0;
      });
    }
    append_checked(made, "{");
    for (size_t i = 0; i < entries.size(); ++i) {
      append_checked(made, i == 0 ? "" : style_.item_separator);
      new_line(level + 1);
      const Value& key = entries[i].first;
      add_text(key.is_text() ? key.as_text() : scalar(key));
      append_checked(made, style_.key_separator);
      add(entries[i].second, level + 1);
    }
    if (!entries.empty()) {
      new_line(level);
    }
    append_checked(made, "}");
  }

  const JsonStyle& style_;
};

}  // namespace

std::string to_json(const Value& value, const JsonStyle& style) {
  JsonWriter writer(style);
  writer.add(value, 0);
  return std::move(writer.made);
}

}  // namespace oneshot::jinja
