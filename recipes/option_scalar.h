// Numbers and booleans out of YAML scalars, without the surprises of YAML: no octal, no
// hexadecimal, no underscores, no yes and no.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "recipes/option.h"
#include "recipes/yaml_document.h"

namespace oneshot::recipes {

/// All throw Recipe where the node stands; `subject` begins the message: "sign_round:
/// 'iterations'".
bool read_boolean(const YamlNode& node, const std::string& subject);
int64_t read_integer(const YamlNode& node, const std::string& subject);
double read_number(const YamlNode& node, const std::string& subject);
/// Bytes: a whole number, or one with kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (of
/// 1024).
int64_t read_size(const YamlNode& node, const std::string& subject);

/// Two whole numbers in the option's range.
std::vector<int64_t> read_pair(const YamlNode& node,
                               const Option& option,
                               const std::string& subject);

/// Throws when the number is outside of the option's minimum and maximum.
void check_range(double number,
                 const YamlNode& node,
                 const Option& option,
                 const std::string& subject);

/// Shortest text that reads back as the same number: "0.005", "512".
std::string number_text(double number);

}  // namespace oneshot::recipes
