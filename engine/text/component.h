// An object of tokenizer.json together with where it stands, so that every message can say so.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace oneshot {

/// Refers to the JSON it was made from, which must outlive it. A value of the wrong kind throws
/// Checkpoint, naming the file and the path within it.
class Component {
 public:
  /// throws Checkpoint when the value is no object.
  Component(const nlohmann::json& value, std::string file, std::string path);

  /// Of the key "type"; throws Checkpoint when there is none.
  std::string type() const { return text("type"); }

  bool has(const std::string& key) const;  // present and not null
  std::string text(const std::string& key) const;
  std::string text_or(const std::string& key, const std::string& absent) const;
  bool flag(const std::string& key, bool absent) const;
  int64_t count(const std::string& key) const;  // ≥ 0
  int32_t id(const std::string& key) const;
  std::string character(const std::string& key) const;  // one code point, as UTF-8

  /// The value under a key, whatever it is; throws Checkpoint when it is absent.
  const nlohmann::json& value(const std::string& key) const;

  std::optional<Component> part(const std::string& key) const;  // nothing: absent or null
  std::vector<Component> parts(const std::string& key) const;

  /// A token id in the file: 0 … 2³¹ − 1. `path` says where it stands.
  int32_t read_id(const nlohmann::json& value, const std::string& path) const;

  [[noreturn]] void throw_damaged(const std::string& what) const;
  [[noreturn]] void throw_unsupported(const std::string& what) const;
  [[noreturn]] void throw_unsupported_type() const;

 private:
  std::string where(const std::string& key) const {
    return path_.empty() ? key : path_ + "." + key;
  }
  [[noreturn]] void throw_kind(const std::string& key, const char* expected) const;

  const nlohmann::json* value_;
  std::string file_;  // as messages name it
  std::string path_;  // "pre_tokenizer.pretokenizers[1]"; empty for the whole file
};

/// The parts of a component of type Sequence, one after the other. Step: a function of one argument
/// that it changes; make: from a part to its step.
template <typename Step>
Step make_sequence(const Component& component,
                   const char* parts,
                   Step (*make)(const std::optional<Component>&)) {
  std::vector<Step> steps;
  for (const Component& part : component.parts(parts)) {
    steps.push_back(make(part));
  }
  return [steps = std::move(steps)](auto& value) {
    for (const Step& step : steps) {
      step(value);
    }
  };
}

}  // namespace oneshot
