// Typed values of the JSON files that say how images are prepared. null counts as absent.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace oneshot {

/// A view of a JSON object, which outlives it. All functions throw Checkpoint, naming file and key,
/// for a value that they cannot give.
class ImageKeys {
 public:
  ImageKeys(const nlohmann::json& object, std::string where)
      : object_(&object), where_(std::move(where)) {}

  bool has(const char* key) const { return find(key) != nullptr; }
  bool is_object(const char* key) const;
  ImageKeys section(const char* key) const;  // an empty one when the key is absent

  /// A whole number from 1 to `most`.
  int64_t size(const char* key, int64_t fallback, int64_t most) const;
  int64_t size(const char* key, int64_t most) const;  // throws when absent
  int64_t integer(const char* key, int64_t fallback) const;
  double number(const char* key, double fallback) const;
  bool boolean(const char* key, bool fallback) const;
  std::string text(const char* key, const std::string& fallback) const;
  std::vector<std::string> texts(const char* key) const;  // empty when absent
  /// One number a colour; a single number stands for three.
  std::array<double, 3> colours(const char* key, const std::array<double, 3>& fallback) const;

  /// throws Checkpoint: FILE: 'KEY' must be WANTED, found VALUE
  [[noreturn]] void fail(const char* key, const std::string& wanted) const;
  /// throws Unsupported: FILE: 'KEY' is VALUE, supported: WANTED
  [[noreturn]] void refuse(const char* key, const std::string& supported) const;

 private:
  const nlohmann::json* find(const char* key) const;
  std::string found(const char* key) const;

  const nlohmann::json* object_;
  std::string where_;
};

}  // namespace oneshot
