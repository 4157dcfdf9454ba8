// One row of a JSON dataset, parsed.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace oneshot {

/// Where a row stands, for messages.
struct RowPlace {
  std::string file;
  int64_t line = 0;    // from 1; 0: the whole file
  int64_t column = 1;  // from 1

  std::string text() const;  // "calibration.jsonl:12"
};

/// The value of a row; keys keep their order, of a repeated key the last value counts.
/// throws Checkpoint with file:line:column for bytes that are not JSON or not UTF-8, and with
/// file:line for more than 100 levels, or more than 1000 keys in one object.
nlohmann::ordered_json parse_json_row(std::string_view text, const RowPlace& place);

/// The same without making the value; depth and keys are not looked at.
void check_json_row(std::string_view text, const RowPlace& place);

}  // namespace oneshot
