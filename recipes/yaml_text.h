// The text of a recipe before it is parsed: encoding, line ends, positions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace oneshot::recipes {

/// The largest text of a recipe, in bytes.
constexpr size_t kLargestText = 1 << 20;

/// A byte of a text that no recipe may hold.
struct BadByte {
  size_t offset;
  std::string reason;  // "is not UTF-8"
};

/// The first place that is not UTF-8, or holds a control character other than tab and line feed or
/// a Unicode line separator.
std::optional<BadByte> find_bad_byte(std::string_view text);

/// The text as the parser wants it: without byte order mark, with line feeds alone.
/// Throws Recipe when it is larger than 1 MiB or holds a bad byte.
std::string prepare_text(std::string_view text, const std::string& file);

/// Turns byte offsets of a text into "recipe.yaml:7:14": line and column from 1, the column in
/// characters. Each call goes on from the one before, so offsets should mostly grow.
class Positions {
 public:
  Positions(std::string_view text, std::string file) : text_(text), place_(std::move(file)) {}
  /// Every offset is at one place, such as "--set model.dtype=float16".
  explicit Positions(std::string where) : fixed_(true), place_(std::move(where)) {}

  std::string at(size_t offset);

 private:
  bool fixed_ = false;
  std::string_view text_;
  std::string place_;
  size_t offset_ = 0;  // of the last call
  size_t line_ = 1;
  size_t column_ = 1;
};

}  // namespace oneshot::recipes
