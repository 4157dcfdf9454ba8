// Filters of single values: defaults, numbers, JSON.
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_print.h"
#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

Value with_default(Use& use) {
  bool replaces = use.input.is_undefined() || (use.flag(1) && !truthy(use.input));
  return !replaces ? use.input : (use.has(0) ? *use.at[0] : Value::text(""));
}

/// What Python's float(text) reads; nothing when it would refuse.
std::optional<double> read_float(std::string_view text) {
  std::string plain(strip(text));
  if (plain.empty() || plain.find_first_of("xX(") != std::string::npos) {
    return std::nullopt;
  }
  char* end = nullptr;
  double value = std::strtod(plain.c_str(), &end);
  return *end == '\0' ? std::optional<double>(value) : std::nullopt;
}

Value truncated(double value) {
  if (!(std::fabs(value) < 9.2e18)) {
    fail_unsupported("an integer of more than 64 bits");
  }
  return Value::integer(static_cast<int64_t>(value));
}

Value to_int(Use& use) {
  Value preset = use.has(0) ? *use.at[0] : Value::integer(0);
  if (use.input.is<double>()) {
    double value = as_double(use.input);
    return std::isfinite(value) ? truncated(value) : preset;
  }
  if (use.input.is_number()) {
    return Value::integer(as_integer(use.input, ""));
  }
  if (use.input.is_undefined()) {
    as_integer(use.input, "");
  }
  if (!use.input.is_text()) {
    return preset;
  }
  std::string text(strip(use.input.as_text()));
  int64_t base = use.integer(1, 10);
  if (base != 10) {
    fail_unsupported("the filter 'int' with another base than 10");
  }
  errno = 0;
  char* end = nullptr;
  int64_t value = std::strtoll(text.c_str(), &end, 10);
  if (!text.empty() && *end == '\0') {
    if (errno == ERANGE) {
      fail_unsupported("an integer of more than 64 bits");
    }
    return Value::integer(value);
  }
  std::optional<double> number = read_float(text);
  return number && std::isfinite(*number) ? truncated(*number) : preset;
}

Value to_float(Use& use) {
  std::optional<double> value;
  if (use.input.is_number() || use.input.is_undefined()) {
    value = as_double(use.input);
  } else if (use.input.is_text()) {
    value = read_float(use.input.as_text());
  }
  return value ? Value{*value} : (use.has(0) ? *use.at[0] : Value{0.0});
}

Value absolute(Use& use) {
  if (use.input.is<double>()) {
    return {std::fabs(as_double(use.input))};
  }
  int64_t value = as_integer(use.input, "the value of 'abs'");
  return value < 0 ? arithmetic("-", Value::integer(0), use.input) : Value::integer(value);
}

Value rounded(Use& use) {
  int64_t precision = use.integer(0, 0);
  std::string method = use.has(1) ? use.text(1) : "common";
  if (precision < 0 || precision > 300) {
    fail_unsupported("the filter 'round' with this precision");
  }
  if (method == "common") {
    if (!use.input.is<double>()) {
      return Value::integer(as_integer(use.input, "the value of 'round'"));
    }
    char buffer[700];
    std::snprintf(
        buffer, sizeof(buffer), "%.*f", static_cast<int>(precision), as_double(use.input));
    return {std::strtod(buffer, nullptr)};
  }
  if (method != "ceil" && method != "floor") {
    fail("method must be common, ceil or floor");
  }
  double scale = std::pow(10.0, static_cast<double>(precision));
  double scaled = as_double(use.input) * scale;
  return {(method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale};
}

Value tojson(Use& use) {
  JsonStyle style;
  style.ensure_ascii = use.flag(0);
  style.sort_keys = use.flag(3);
  if (use.has(1) && !use.at[1]->is_none()) {
    int64_t width = use.at[1]->is_text() ? 0 : use.integer(1, 0);
    if (width > 1000) {
      fail_unsupported("an indent of more than 1000");
    }
    style.indent = use.at[1]->is_text()
                       ? use.text(1)
                       : std::string(static_cast<size_t>(width < 0 ? 0 : width), ' ');
    style.item_separator = ",";
  }
  if (use.has(2) && !use.at[2]->is_none()) {
    std::vector<Value> separators = items_of(*use.at[2], use.budget);
    if (separators.size() != 2 || !separators[0].is_text() || !separators[1].is_text()) {
      fail("the separators of tojson must be two texts");
    }
    style.item_separator = separators[0].as_text();
    style.key_separator = separators[1].as_text();
  }
  return Value::text(to_json(use.input, style));
}

}  // namespace

const std::vector<Builtin>& value_filters() {
  static const std::vector<Builtin> kFilters = {
      {"default", {"default_value", "boolean"}, 0, false, with_default},
      {"d", {"default_value", "boolean"}, 0, false, with_default},
      {"int", {"default", "base"}, 0, false, to_int},
      {"float", {"default"}, 0, false, to_float},
      {"abs", {}, 0, false, absolute},
      {"round", {"precision", "method"}, 0, false, rounded},
      {"tojson", {"ensure_ascii", "indent", "separators", "sort_keys"}, 0, false, tojson},
  };
  return kFilters;
}

}  // namespace oneshot::jinja
