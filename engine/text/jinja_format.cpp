// Python's text % values.
#include <cstdio>

#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_items.h"
#include "engine/text/jinja_print.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

constexpr size_t kWidest = 1000;  // of a width or a precision

std::string number_text(const std::string& flags, char conversion, const Value& value) {
  char buffer[2 * kWidest];
  if (std::string_view("fFeEgG").find(conversion) != std::string_view::npos) {
    std::string format = "%" + flags + conversion;
    std::snprintf(buffer, sizeof(buffer), format.c_str(), as_double(value));
    return buffer;
  }
  int64_t integer = value.is<double>() ? static_cast<int64_t>(as_double(value))
                                       : as_integer(value, "%d format: the value");
  if (integer < 0 && conversion != 'd') {
    fail_unsupported("a negative number in hexadecimal or octal");
  }
  std::string format = "%" + flags + "ll" + conversion;
  std::snprintf(buffer, sizeof(buffer), format.c_str(), static_cast<long long>(integer));
  return buffer;
}

class Formatter {
 public:
  Formatter(std::string_view text, const Value& values) : text_(text) {
    const Sequence* sequence = values.sequence();
    bool is_tuple = sequence != nullptr && sequence->kind == SequenceKind::Tuple;
    values_ = is_tuple ? sequence->items : std::vector<Value>{values};
    may_be_unused_ = values.is_dict() || (sequence != nullptr && !is_tuple);
  }

  std::string run() {
    std::string made;
    for (size_t at = 0; at < text_.size(); ++at) {
      if (text_[at] != '%') {
        append_checked(made, text_.substr(at, 1));
        continue;
      }
      size_t end = text_.find_first_not_of("-+ #0123456789.", at + 1);
      if (end == std::string_view::npos) {
        fail("incomplete format");
      }
      append_checked(made, converted(std::string(text_.substr(at + 1, end - at - 1)), text_[end]));
      at = end;
    }
    if (next_ < values_.size() && !may_be_unused_) {
      fail("not all arguments converted during string formatting");
    }
    return made;
  }

 private:
  std::string_view text_;
  std::vector<Value> values_;
  size_t next_ = 0;
  bool may_be_unused_ = false;

  const Value& take() {
    if (next_ >= values_.size()) {
      fail("not enough arguments for format string");
    }
    return values_[next_++];
  }

  std::string converted(const std::string& flags, char conversion) {
    if (conversion == '%') {
      return "%";
    }
    if ((conversion == 's' || conversion == 'r') && flags.empty()) {
      const Value& value = take();
      return conversion == 's' ? to_text(value) : repr(value);
    }
    if (flags.size() > 4 || flags.find('#') != std::string::npos ||
        std::string_view("dixXofFeEgG").find(conversion) == std::string_view::npos) {
      fail_unsupported("the format '%" + flags + conversion + "'");
    }
    return number_text(flags, conversion == 'i' ? 'd' : conversion, take());
  }
};

}  // namespace

std::string percent_format(const std::string& text, const Value& values) {
  return Formatter(text, values).run();
}

}  // namespace oneshot::jinja
