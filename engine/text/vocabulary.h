// The tokens of a model and their ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/text/component.h"

namespace oneshot {

/// Hash of a string or a view of one, so that a map of strings is searched without a copy.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

template <class Value>
using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

class Vocabulary {
 public:
  /// The key "vocab" of a model: token → id.
  /// throws Checkpoint when it is no such object or two tokens have one id.
  explicit Vocabulary(const Component& model);
  Vocabulary(const Vocabulary&) = delete;  // holds pointers to its own keys
  Vocabulary& operator=(const Vocabulary&) = delete;

  std::optional<int32_t> id_of(std::string_view token) const;
  const std::string* token_of(int32_t id) const;  // null: no token has this id
  int64_t size() const { return static_cast<int64_t>(ids_.size()); }

 private:
  StringMap<int32_t> ids_;
  std::unordered_map<int32_t, const std::string*> tokens_;  // the keys of ids_
};

}  // namespace oneshot
