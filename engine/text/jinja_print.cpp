#include "engine/text/jinja_print.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "engine/text/jinja_items.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

std::string hex_escape(char32_t point) {
  char buffer[16];
  const char* format = point < 0x100 ? "\\x%02x" : (point < 0x10000 ? "\\u%04x" : "\\U%08x");
  std::snprintf(buffer, sizeof(buffer), format, static_cast<unsigned>(point));
  return buffer;
}

std::string text_repr(const std::string& text) {
  bool has_single = text.find('\'') != std::string::npos;
  char quote = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  std::string made(1, quote);
  for (std::string_view character : characters(text)) {
    char32_t point = code_point(character);
    if (point == '\\' || point == static_cast<char32_t>(quote)) {
      made += '\\';
      made += character;
    } else if (point == '\n' || point == '\r' || point == '\t') {
      made += point == '\n' ? "\\n" : (point == '\r' ? "\\r" : "\\t");
    } else {
      append_checked(made, is_printable(point) ? std::string(character) : hex_escape(point));
    }
  }
  return made + quote;
}

/// Appends Python's repr to one text, so that the whole has one limit.
class Representation {
 public:
  std::string made;

  void add(const Value& value) {
    if (value.is_text()) {
      append_checked(made, text_repr(value.as_text()));
    } else if (const Sequence* sequence = value.sequence()) {
      add_sequence(*sequence);
    } else if (value.is_dict()) {
      add_dict(value.as_dict());
    } else if (value.is_undefined()) {
      append_checked(made, "Undefined");
    } else {
      append_checked(made, to_text(value));
    }
  }

 private:
  void add_sequence(const Sequence& sequence) {
    if (sequence.kind != SequenceKind::List && sequence.kind != SequenceKind::Tuple) {
      fail_unsupported("printing a " + type_name({std::make_shared<const Sequence>(sequence)}));
    }
    bool tuple = sequence.kind == SequenceKind::Tuple;
    append_checked(made, tuple ? "(" : "[");
    for (size_t i = 0; i < sequence.items.size(); ++i) {
      append_checked(made, i == 0 ? "" : ", ");
      add(sequence.items[i]);
    }
    append_checked(made, tuple ? (sequence.items.size() == 1 ? ",)" : ")") : "]");
  }

  void add_dict(const Dict& dict) {
    append_checked(made, "{");
    for (size_t i = 0; i < dict.entries.size(); ++i) {
      append_checked(made, i == 0 ? "" : ", ");
      add(dict.entries[i].first);
      append_checked(made, ": ");
      add(dict.entries[i].second);
    }
    append_checked(made, "}");
  }
};

}  // namespace

std::string float_text(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  if (std::isinf(value)) {
    return value < 0 ? "-inf" : "inf";
  }
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  std::string_view shortest(buffer, static_cast<size_t>(end.ptr - buffer));
  size_t mark = shortest.find('e');
  int exponent = std::atoi(std::string(shortest.substr(mark + 1)).c_str());
  if (exponent < -4 || exponent >= 16) {
    return std::string(shortest);  // two digits of exponent at least, as in Python
  }
  end = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed);
  std::string text(buffer, end.ptr);
  return text.find('.') == std::string::npos ? text + ".0" : text;
}

std::string to_text(const Value& value) {
  if (value.is_text()) {
    return value.as_text();
  }
  if (value.is_undefined()) {
    return "";
  }
  if (value.is_none()) {
    return "None";
  }
  if (const bool* held = std::get_if<bool>(&value.data)) {
    return *held ? "True" : "False";
  }
  if (value.is_integer()) {
    return std::to_string(std::get<int64_t>(value.data));
  }
  if (const double* held = std::get_if<double>(&value.data)) {
    return float_text(*held);
  }
  if (value.sequence() == nullptr && !value.is_dict()) {
    fail_unsupported("printing a " + type_name(value));
  }
  return repr(value);
}

std::string repr(const Value& value) {
  Representation representation;
  representation.add(value);
  return std::move(representation.made);
}

}  // namespace oneshot::jinja
