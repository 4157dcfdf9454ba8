// Typed values of config.json, with the key in every message. null counts as absent.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace oneshot {

/// A view of a JSON object, which outlives it. All functions throw Checkpoint for a value of
/// another type than asked for.
class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& object, std::string where)
      : object_(&object), where_(std::move(where)) {}

  bool has(const char* key) const { return find(key) != nullptr; }
  /// The object below a key; an empty one when it is absent.
  ConfigReader section(const char* key) const;

  int64_t integer(const char* key, int64_t fallback) const;
  /// A size: above 0 and below 2^40. throws Checkpoint when it is absent.
  int64_t required_size(const char* key) const;
  double number(const char* key, double fallback) const;
  std::optional<double> optional_number(const char* key) const;
  std::vector<double> numbers(const char* key) const;  // empty when absent
  /// Empty when absent or no list.
  std::vector<int64_t> integers(const char* key) const;
  /// The fallback when absent.
  std::vector<int64_t> integers(const char* key, std::vector<int64_t> fallback) const;
  bool boolean(const char* key, bool fallback) const;
  std::string text(const char* key, const std::string& fallback) const;
  std::vector<std::string> texts(const char* key) const;  // empty when absent

 private:
  const nlohmann::json* find(const char* key) const;
  [[noreturn]] void fail(const char* key, const char* wanted) const;

  const nlohmann::json* object_;
  std::string where_;
};

}  // namespace oneshot
