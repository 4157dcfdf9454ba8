// A Python pickle, read as data: nothing that it names is called. What torch puts into a state dict
// is understood, everything else is refused.
// Source: the opcodes of Lib/pickletools.py in CPython.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oneshot {

/// A value refers to others by their index, so values never nest in memory and may form circles.
struct PickleValue {
  enum class Kind {
    None,
    Bool,
    Int,
    Float,  // its value is not kept
    Text,
    Tuple,
    List,
    Dict,      // items: key, value, key, value, …
    Callable,  // text: its module and name, "torch.FloatStorage"
    Call,      // items: the callable, the tuple of its arguments
    StoredId,  // items: the value that identifies something outside of the pickle
  };
  Kind kind = Kind::None;
  int64_t number = 0;  // of an Int or Bool
  std::string text;
  std::vector<uint32_t> items;
};

struct Pickle {
  std::vector<PickleValue> values;
  uint32_t root = 0;
};

/// Reads protocols 2 to 5. "collections.OrderedDict" becomes a Dict, its attributes are dropped.
/// callables: "module.name" of what may be named beside it. file: its name in messages.
/// throws Checkpoint for a pickle that is damaged, that names another callable (by its name), that
/// has an opcode which state dicts have no use for, or that holds more than 4 million values.
Pickle read_pickle(std::string_view bytes,
                   std::span<const std::string_view> callables,
                   const std::string& file);

}  // namespace oneshot
