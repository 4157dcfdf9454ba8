// The table of options that everything is made from: the parser, the defaults, the JSON Schema and
// schema.md. And the typed view of a mapping that was checked against such a table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace oneshot::recipes {

enum class OptionType {
  Bool,
  Int,
  Float,
  Text,
  TextList,        // one text is taken as a list of one
  Patterns,        // a TextList of module classes, names and re:REGEX, which are compiled
  Path,            // a file or folder; `words` stand for themselves
  ImageFolder,     // a folder, or image=DIR among video=DIR and audio=DIR, split by commas
  Size,            // bytes: 5000000000, 5GB (decimal), 8GiB (binary)
  IntPair,         // [128, 128]
  Mapping,         // `fields` are its options
  TextOrMapping,   // one of `words`, or a mapping of `fields`
  ByPattern,       // a mapping of patterns, each to a mapping of `fields`
  PathOrMappings,  // a path, or a list of mappings of `fields`
  Modifiers,       // a list of mappings with one key each, which names one of `fields`
};

/// How close a text must come to one of the words; it becomes that word.
enum class Spelling { Exact, AnyCase, Hyphens };  // Hyphens: "auto-round" is auto_round

/// One option, a row of a table. All texts of it are YAML.
struct Option {
  std::string name;
  OptionType type = OptionType::Text;
  bool required = false;
  std::optional<std::string> fallback = {};  // the default; absent: unset until given
  std::optional<double> minimum = {};        // of a number; of a list: of its length
  std::optional<double> maximum = {};
  bool above_minimum = false;           // the minimum itself is too small
  std::vector<std::string> words = {};  // the only texts allowed; empty: any. Path: see there
  Spelling spelling = Spelling::Exact;
  std::vector<Option> fields = {};
  std::string example = {};
  std::string description = {};
};

class OptionValues;

/// One text of the user.
struct TextValue {
  std::string text;                 // as it is written back
  std::filesystem::path path = {};  // Path: absolute; empty for a word
  std::string where = {};
};

/// The value of one option. Which members are set follows from the option's type.
struct OptionValue {
  bool present = false;  // given by the user, or a default
  bool given = false;
  bool is_mapping = false;  // TextOrMapping, PathOrMappings: which of the two
  std::string where = {};
  bool boolean = false;
  int64_t integer = 0;  // Int, Size
  double number = 0;
  std::vector<int64_t> integers = {};  // IntPair
  std::vector<TextValue> texts = {};   // one for Text, Path and Size; ByPattern: the patterns
  std::vector<OptionValues> mappings;  // one for Mapping; ByPattern: one a pattern; no initializer:
                                       // the type is not complete
};

/// A mapping that was checked against its table. Asking for a name that the table lacks, for a
/// value that is not there, or with the wrong type, is a bug and asserts.
class OptionValues {
 public:
  OptionValues() = default;
  /// `values` are parallel to `table->fields`.
  OptionValues(std::shared_ptr<const Option> table,
               std::string where,
               std::vector<OptionValue> values);

  /// The key that the mapping stands below: "quantize".
  const std::string& name() const { return table_->name; }
  const std::vector<Option>& table() const { return table_->fields; }

  bool has(const std::string& name) const;    // given, or has a default
  bool given(const std::string& name) const;  // by the user

  bool boolean(const std::string& name) const;
  int64_t integer(const std::string& name) const;  // of a Size: bytes
  double number(const std::string& name) const;    // Float, or Int
  const std::string& text(const std::string& name) const;
  const std::filesystem::path& path(const std::string& name) const;  // absolute
  std::vector<std::string> list(const std::string& name) const;      // TextList, Patterns
  const std::vector<int64_t>& integers(const std::string& name) const;
  bool is_mapping(const std::string& name) const;
  const OptionValues& mapping(const std::string& name) const;
  const std::vector<OptionValues>& mappings(const std::string& name) const;

  /// "recipe.yaml:7:14": where the value stands; of an option not given: where the mapping stands.
  const std::string& where(const std::string& name) const;
  const std::string& where_item(const std::string& name, size_t index) const;
  /// Where the mapping stands.
  const std::string& where() const { return where_; }

  const OptionValue& value(const std::string& name) const;

 private:
  const OptionValue& value(const std::string& name, std::initializer_list<OptionType> types) const;

  std::shared_ptr<const Option> table_;
  std::string where_;
  std::vector<OptionValue> values_;
};

}  // namespace oneshot::recipes
