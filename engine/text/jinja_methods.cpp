// Python's methods of texts, dictionaries and lists.
#include <algorithm>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_print.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

template <bool Left, bool Right>
Value stripped(Use& use) {
  const std::string& text = use.input.as_text();
  bool plain = !use.has(0) || use.at[0]->is_none();
  return Value::text(
      std::string(plain ? strip(text, Left, Right) : strip_set(text, use.text(0), Left, Right)));
}

/// The bytes up to the first space, or behind the last one.
size_t word_size(std::string_view text, bool from_right) {
  size_t size = 0;
  if (!from_right) {
    for (std::string_view letter : characters(text)) {
      if (is_space(code_point(letter))) {
        break;
      }
      size += letter.size();
    }
    return size;
  }
  while (size < text.size()) {
    std::string_view before = text.substr(0, text.size() - size);
    size_t start = before.size() - 1;
    while (start > 0 && (static_cast<unsigned char>(before[start]) & 0xC0) == 0x80) {
      --start;
    }
    if (is_space(code_point(before.substr(start)))) {
      break;
    }
    size = text.size() - start;
  }
  return size;
}

/// The words between runs of spaces; with a limit the last one is all that is left.
std::vector<Value> split_words(std::string_view text, int64_t limit, bool from_right) {
  std::vector<Value> words;
  std::string_view rest = strip(text, !from_right, from_right);
  while (!rest.empty()) {
    if (limit >= 0 && static_cast<int64_t>(words.size()) == limit) {
      words.push_back(Value::text(std::string(rest)));
      break;
    }
    size_t size = word_size(rest, from_right);
    size_t start = from_right ? rest.size() - size : 0;
    words.push_back(Value::text(std::string(rest.substr(start, size))));
    rest = strip(from_right ? rest.substr(0, start) : rest.substr(size), !from_right, from_right);
  }
  return words;
}

std::vector<Value> split_at(std::string_view text,
                            std::string_view separator,
                            int64_t limit,
                            bool from_right) {
  std::vector<Value> parts;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    size_t found = from_right ? text.rfind(separator) : text.find(separator);
    if (found == std::string_view::npos) {
      break;
    }
    std::string_view before = text.substr(0, found);
    std::string_view behind = text.substr(found + separator.size());
    parts.push_back(Value::text(std::string(from_right ? behind : before)));
    text = from_right ? before : behind;
  }
  parts.push_back(Value::text(std::string(text)));
  return parts;
}

template <bool FromRight>
Value split(Use& use) {
  const std::string& text = use.input.as_text();
  int64_t limit = use.integer(1, -1);
  std::vector<Value> parts;
  if (!use.has(0) || use.at[0]->is_none()) {
    use.budget.step(text.size() / 4);
    parts = split_words(text, limit, FromRight);
  } else if (use.text(0).empty()) {
    fail("empty separator");
  } else {
    parts = split_at(text, use.text(0), limit, FromRight);
  }
  use.budget.step(parts.size());
  if (FromRight) {
    return make_sequence(std::vector<Value>(parts.rbegin(), parts.rend()));
  }
  return make_sequence(std::move(parts));
}

Value splitlines(Use& use) {
  if (use.flag(0)) {
    fail_unsupported("splitlines with keepends");
  }
  std::vector<Value> lines;
  for (std::string_view line : lines_of(use.input.as_text())) {
    lines.push_back(Value::text(std::string(line)));
  }
  return make_sequence(std::move(lines));
}

Value replace(Use& use) {
  return Value::text(
      replace_all(use.input.as_text(), use.text(0), use.text(1), use.integer(2, -1)));
}

bool has_affix(const std::string& text, const Value& affix, bool at_start) {
  if (!affix.is_text()) {
    fail("startswith and endswith take str or a tuple of str, not " + type_name(affix));
  }
  return at_start ? text.starts_with(affix.as_text()) : text.ends_with(affix.as_text());
}

template <bool AtStart>
Value affixed(Use& use) {
  const std::string& text = use.input.as_text();
  const Value& affix = *use.at[0];
  const Sequence* several = affix.sequence();
  if (several == nullptr || several->kind != SequenceKind::Tuple) {
    return Value::boolean(has_affix(text, affix, AtStart));
  }
  return Value::boolean(
      std::any_of(several->items.begin(), several->items.end(), [&](const Value& one) {
        return has_affix(text, one, AtStart);
      }));
}

Value remove_prefix(Use& use) {
  const std::string& text = use.input.as_text();
  return text.starts_with(use.text(0)) ? Value::text(text.substr(use.text(0).size())) : use.input;
}

Value remove_suffix(Use& use) {
  const std::string& text = use.input.as_text();
  return text.ends_with(use.text(0)) ? Value::text(text.substr(0, text.size() - use.text(0).size()))
                                     : use.input;
}

template <std::string (*Change)(std::string_view)>
Value changed(Use& use) {
  use.budget.step(use.input.as_text().size() / 16);
  return Value::text(Change(use.input.as_text()));
}

template <bool FromRight, bool MustBe>
Value find(Use& use) {
  const std::string& text = use.input.as_text();
  size_t found = FromRight ? text.rfind(use.text(0)) : text.find(use.text(0));
  if (found == std::string::npos) {
    if (MustBe) {
      fail("substring not found");
    }
    return Value::integer(-1);
  }
  return Value::integer(
      static_cast<int64_t>(count_characters(std::string_view(text).substr(0, found))));
}

Value count(Use& use) {
  const std::string& text = use.input.as_text();
  const std::string& part = use.text(0);
  if (part.empty()) {
    return Value::integer(static_cast<int64_t>(count_characters(text)) + 1);
  }
  int64_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size())) {
    ++found;
  }
  return Value::integer(found);
}

Value join(Use& use) {
  std::string text;
  bool first = true;
  for (const Value& item : items_of(*use.at[0], use.budget)) {
    if (!item.is_text()) {
      fail("sequence item: expected str instance, " + type_name(item) + " found");
    }
    append_checked(text, first ? "" : use.input.as_text());
    append_checked(text, item.as_text());
    first = false;
  }
  return Value::text(std::move(text));
}

/// Whether the text is not empty and every character is of the class; ASCII classes are known.
template <bool (*InClass)(char32_t), bool OfAllUnicode>
Value all_of_class(Use& use) {
  const std::string& text = use.input.as_text();
  for (std::string_view character : characters(text)) {
    char32_t point = code_point(character);
    if (point >= 0x80 && !OfAllUnicode) {
      fail_unsupported("asking for the class of '" + std::string(character) + "'");
    }
    if (!InClass(point)) {
      return Value::boolean(false);
    }
  }
  return Value::boolean(!text.empty());
}

bool is_digit(char32_t point) {
  return point >= '0' && point <= '9';
}

template <bool Upper>
Value all_of_case(Use& use) {
  return use_builtin(*find_test(Upper ? "upper" : "lower"), use.run, use.input, {});
}

}  // namespace

const std::vector<Builtin>& text_methods() {
  static const std::vector<Builtin> kMethods = {
      {"strip", {"chars"}, 0, false, stripped<true, true>},
      {"lstrip", {"chars"}, 0, false, stripped<true, false>},
      {"rstrip", {"chars"}, 0, false, stripped<false, true>},
      {"split", {"sep", "maxsplit"}, 0, false, split<false>},
      {"rsplit", {"sep", "maxsplit"}, 0, false, split<true>},
      {"splitlines", {"keepends"}, 0, false, splitlines},
      {"replace", {"old", "new", "count"}, 2, false, replace},
      {"startswith", {"prefix"}, 1, false, affixed<true>},
      {"endswith", {"suffix"}, 1, false, affixed<false>},
      {"removeprefix", {"prefix"}, 1, false, remove_prefix},
      {"removesuffix", {"suffix"}, 1, false, remove_suffix},
      {"upper", {}, 0, false, changed<to_upper>},
      {"lower", {}, 0, false, changed<to_lower>},
      {"title", {}, 0, false, changed<title>},
      {"capitalize", {}, 0, false, changed<capitalize>},
      {"find", {"sub"}, 1, false, find<false, false>},
      {"rfind", {"sub"}, 1, false, find<true, false>},
      {"index", {"sub"}, 1, false, find<false, true>},
      {"rindex", {"sub"}, 1, false, find<true, true>},
      {"count", {"sub"}, 1, false, count},
      {"join", {"iterable"}, 1, false, join},
      {"isdigit", {}, 0, false, all_of_class<is_digit, false>},
      {"isalpha", {}, 0, false, all_of_class<is_letter, true>},
      {"isspace", {}, 0, false, all_of_class<is_space, true>},
      {"isupper", {}, 0, false, all_of_case<true>},
      {"islower", {}, 0, false, all_of_case<false>},
  };
  return kMethods;
}

}  // namespace oneshot::jinja
