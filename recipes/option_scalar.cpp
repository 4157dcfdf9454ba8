#include "recipes/option_scalar.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string_view without_sign(std::string_view text) {
  return text.starts_with('-') || text.starts_with('+') ? text.substr(1) : text;
}

/// "a whole number, found X", and what to change where the user meant one.
[[noreturn]] void refuse_number(const YamlNode& node,
                                const std::string& subject,
                                const std::string& wanted) {
  std::string hint;
  const std::string_view digits = without_sign(node.text);
  if (node.kind == YamlNode::Kind::Scalar && !digits.empty() && is_digits(digits.substr(0, 1))) {
    hint = node.quoted ? ": remove the quotes" : ": write plain decimal digits";
  }
  fail(node.where, subject + " must be " + wanted + ", found " + found(node) + hint);
}

/// The number when the text is nothing but digits behind an optional sign; throws when it is too
/// large for 64 bits.
std::optional<int64_t> plain_integer(const YamlNode& node,
                                     const std::string& text,
                                     const std::string& subject) {
  const std::string_view digits = without_sign(text);
  if (!is_digits(digits) || (digits.size() > 1 && digits[0] == '0')) {
    return std::nullopt;  // 010 is 8 to some readers of YAML and 10 to others
  }
  const std::string_view number = text[0] == '+' ? digits : std::string_view(text);
  int64_t value = 0;
  if (std::from_chars(number.data(), number.data() + number.size(), value).ec != std::errc{}) {
    fail(node.where, subject + " is too large: " + in_quotes(text));
  }
  return value;
}

struct Unit {
  std::string_view name;
  int64_t bytes;
};

constexpr int64_t kKibi = 1024;
constexpr std::array<Unit, 9> kUnits = {{{"", 1},
                                         {"kB", 1000},
                                         {"MB", 1000'000},
                                         {"GB", 1000'000'000},
                                         {"TB", 1000'000'000'000},
                                         {"KiB", kKibi},
                                         {"MiB", kKibi* kKibi},
                                         {"GiB", kKibi* kKibi* kKibi},
                                         {"TiB", kKibi* kKibi* kKibi* kKibi}}};

}  // namespace

bool read_boolean(const YamlNode& node, const std::string& subject) {
  if (node.kind == YamlNode::Kind::Scalar && !node.quoted) {
    for (const char* yes : {"true", "True", "TRUE"}) {
      if (node.text == yes) {
        return true;
      }
    }
    for (const char* no : {"false", "False", "FALSE"}) {
      if (node.text == no) {
        return false;
      }
    }
  }
  const bool in_quotes = node.quoted && (node.text == "true" || node.text == "false");
  fail(node.where,
       subject + ": write true or false" + (in_quotes ? " without quotes" : "") + ", found " +
           found(node));
}

int64_t read_integer(const YamlNode& node, const std::string& subject) {
  if (node.kind == YamlNode::Kind::Scalar && !node.quoted) {
    if (const auto value = plain_integer(node, node.text, subject)) {
      return *value;
    }
  }
  refuse_number(node, subject, "a whole number");
}

double read_number(const YamlNode& node, const std::string& subject) {
  const std::string_view digits = without_sign(node.text);
  const bool octal = digits.size() > 1 && digits[0] == '0' && is_digits(digits.substr(1, 1));
  const bool starts_well = !digits.empty() && (digits[0] == '.' || is_digits(digits.substr(0, 1)));
  if (node.kind != YamlNode::Kind::Scalar || node.quoted || octal || !starts_well) {
    refuse_number(node, subject, "a number");
  }
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range) {
    fail(node.where, subject + " is out of range: " + in_quotes(node.text));
  }
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    refuse_number(node, subject, "a number");
  }
  return node.text[0] == '-' ? -value : value;
}

int64_t read_size(const YamlNode& node, const std::string& subject) {
  const size_t behind = node.text.find_first_not_of("0123456789");
  const std::string digits = node.text.substr(0, behind);
  const std::string unit = behind == std::string::npos ? "" : node.text.substr(behind);
  if (node.kind == YamlNode::Kind::Scalar) {
    for (const Unit& known : kUnits) {
      if (unit != known.name) {
        continue;
      }
      const auto count = plain_integer(node, digits, subject);
      if (count && *count > std::numeric_limits<int64_t>::max() / known.bytes) {
        fail(node.where, subject + " is too large: " + in_quotes(node.text));
      }
      if (count) {
        return *count * known.bytes;
      }
    }
  }
  fail(
      node.where,
      subject + " must be a number of bytes such as 5GB, 8GiB or 5000000000, found " + found(node));
}

std::vector<int64_t> read_pair(const YamlNode& node,
                               const Option& option,
                               const std::string& subject) {
  const bool is_list = node.kind == YamlNode::Kind::List;
  if (!is_list || node.items.size() != 2) {
    fail(node.where,
         subject + " must be two whole numbers such as [128, 128], found " + found(node) +
             (is_list ? " of " + std::to_string(node.items.size()) : ""));
  }
  std::vector<int64_t> integers;
  for (const YamlNode& item : node.items) {
    integers.push_back(read_integer(item, subject));
    check_range(static_cast<double>(integers.back()), item, option, subject);
  }
  return integers;
}

void check_range(double number,
                 const YamlNode& node,
                 const Option& option,
                 const std::string& subject) {
  const bool low = option.minimum &&
                   (option.above_minimum ? number <= *option.minimum : number < *option.minimum);
  const bool high = option.maximum && number > *option.maximum;
  if (!low && !high) {
    return;
  }
  std::string range;
  if (option.minimum) {
    range = (option.above_minimum ? "above " : "at least ") + number_text(*option.minimum);
  }
  if (option.maximum) {
    range += (range.empty() ? "at most " : " and at most ") + number_text(*option.maximum);
  }
  fail(node.where, subject + " must be " + range + ", found " + found(node));
}

std::string number_text(double number) {
  if (std::nearbyint(number) == number && std::fabs(number) < 1e15) {
    return std::to_string(static_cast<int64_t>(number));
  }
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  return std::string(text.data(), error == std::errc{} ? end : text.data());
}

}  // namespace oneshot::recipes
