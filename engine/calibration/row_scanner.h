// Where the rows of a JSON file stand, found by its brackets and quotes alone.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/checkpoint/input_file.h"

namespace oneshot {

/// A stretch of bytes in a file. What it holds has not been parsed and may be wrong.
struct RowSpan {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  int64_t line = 0, column = 0;  // where it begins, from 1
};

/// The lines of a file that are not blank.
std::vector<RowSpan> find_lines(const InputFile& file);

/// What a JSON file is made of.
struct JsonLayout {
  enum class Kind {
    List,     // one list, or an object that holds one list under a name of no meaning to rows
    Value,    // one value of another kind
    Several,  // more than one value
  };
  Kind kind = Kind::Value;
  std::vector<RowSpan> rows;  // of List: its items; of Value: the one
  RowSpan rest;               // of List: what stands behind it; no bytes: nothing
};

/// A list that does not end has an empty item at its end, so that whoever parses it refuses it.
JsonLayout find_items(const InputFile& file);

}  // namespace oneshot
