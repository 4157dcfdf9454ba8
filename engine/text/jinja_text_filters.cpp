// Filters of texts.
#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_print.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

Value trim(Use& use) {
  std::string text = use.input_text();
  bool plain = !use.has(0) || use.at[0]->is_none();
  return Value::text(std::string(plain ? strip(text) : strip_set(text, use.text(0))));
}

Value upper(Use& use) {
  return Value::text(to_upper(use.input_text()));
}

Value lower(Use& use) {
  return Value::text(to_lower(use.input_text()));
}

Value capitalized(Use& use) {
  return Value::text(capitalize(use.input_text()));
}

/// Every word with its first letter upper; words start behind spaces and opening brackets.
Value titled(Use& use) {
  std::string text = use.input_text();
  std::string made;
  std::string word;
  for (std::string_view character : characters(text)) {
    if (std::string_view("-({[<").find(character) != std::string_view::npos ||
        is_space(code_point(character))) {
      made += capitalize(word);
      word.clear();
      made += character;
    } else {
      word += character;
    }
  }
  return Value::text(made + capitalize(word));
}

Value replace(Use& use) {
  int64_t count = use.has(2) && !use.at[2]->is_none() ? use.integer(2, -1) : -1;
  return Value::text(
      replace_all(use.input_text(), to_text(*use.at[0]), to_text(*use.at[1]), count));
}

Value indent(Use& use) {
  bool by_text = use.has(0) && use.at[0]->is_text();
  std::string step =
      by_text ? use.text(0)
              : to_text(arithmetic("*", Value::text(" "), Value::integer(use.integer(0, 4))));
  std::string text = use.input_text() + "\n";
  std::string made = use.flag(1) ? step : "";
  bool first = true;
  for (std::string_view line : lines_of(text)) {
    if (!first) {
      append_checked(made, "\n");
      append_checked(made, use.flag(2) || !line.empty() ? step : "");
    }
    append_checked(made, line);
    first = false;
  }
  return Value::text(std::move(made));
}

Value as_string(Use& use) {
  return Value::text(use.input_text());
}

Value format(Use& use) {
  if (!use.arguments.named.empty()) {
    fail_unsupported("the filter 'format' with named values");
  }
  return Value::text(percent_format(use.input_text(),
                                    make_sequence(use.arguments.positional, SequenceKind::Tuple)));
}

}  // namespace

const std::vector<Builtin>& text_filters() {
  static const std::vector<Builtin> kFilters = {
      {"trim", {"chars"}, 0, false, trim},
      {"upper", {}, 0, false, upper},
      {"lower", {}, 0, false, lower},
      {"capitalize", {}, 0, false, capitalized},
      {"title", {}, 0, false, titled},
      {"replace", {"old", "new", "count"}, 2, false, replace},
      {"indent", {"width", "first", "blank"}, 0, false, indent},
      {"string", {}, 0, false, as_string},
      {"safe", {}, 0, false, as_string},
      {"format", {}, 0, true, format},
  };
  return kFilters;
}

}  // namespace oneshot::jinja
