#include "engine/text/component.h"

#include <limits>
#include <utility>

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/text/unicode.h"

namespace oneshot {

using Json = nlohmann::json;

Component::Component(const Json& value, std::string file, std::string path)
    : value_(&value), file_(std::move(file)), path_(std::move(path)) {
  if (!value.is_object()) {
    throw_damaged(std::string("holds JSON ") + value.type_name() + ", expected an object");
  }
}

bool Component::has(const std::string& key) const {
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

const Json& Component::value(const std::string& key) const {
  const auto found = value_->find(key);
  if (found == value_->end()) {
    throw_damaged("has no " + in_quotes(key));
  }
  return *found;
}

std::string Component::text(const std::string& key) const {
  const Json& found = value(key);
  if (!found.is_string()) {
    throw_kind(key, "a string");
  }
  return found.get<std::string>();
}

std::string Component::text_or(const std::string& key, const std::string& absent) const {
  return has(key) ? text(key) : absent;
}

bool Component::flag(const std::string& key, bool absent) const {
  if (!has(key)) {
    return absent;
  }
  const Json& found = value(key);
  if (!found.is_boolean()) {
    throw_kind(key, "true or false");
  }
  return found.get<bool>();
}

int64_t Component::count(const std::string& key) const {
  return id(key);
}

int32_t Component::id(const std::string& key) const {
  return read_id(value(key), where(key));
}

std::string Component::character(const std::string& key) const {
  std::string found = text(key);
  if (found.empty() || first_invalid_byte(found) || character_at(found, 0).bytes != found.size()) {
    throw_kind(key, "one character");
  }
  return found;
}

std::optional<Component> Component::part(const std::string& key) const {
  if (!has(key)) {
    return std::nullopt;
  }
  return Component(value(key), file_, where(key));
}

std::vector<Component> Component::parts(const std::string& key) const {
  const Json& list = value(key);
  if (!list.is_array()) {
    throw_kind(key, "a list");
  }
  std::vector<Component> found;
  for (const Json& item : list) {
    found.emplace_back(item, file_, where(key) + "[" + std::to_string(found.size()) + "]");
  }
  return found;
}

int32_t Component::read_id(const Json& value, const std::string& path) const {
  constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();
  const bool fits = value.is_number_unsigned()
                        ? value.get<uint64_t>() <= uint64_t{kLargest}
                        : value.is_number_integer() && value.get<int64_t>() >= 0 &&
                              value.get<int64_t>() <= kLargest;
  if (!fits) {
    throw Error(ErrorCode::Checkpoint,
                one_line(file_) + ": " + shortened(path) + ": expected a whole number from 0 to " +
                    std::to_string(kLargest));
  }
  return value.get<int32_t>();
}

void Component::throw_damaged(const std::string& what) const {
  throw Error(ErrorCode::Checkpoint,
              one_line(file_) + ": " + (path_.empty() ? "" : path_ + ": ") + what);
}

void Component::throw_unsupported(const std::string& what) const {
  throw Error(
      ErrorCode::Unsupported,
      one_line(file_) + ": " + (path_.empty() ? "" : path_ + ": ") + what + " is not supported");
}

void Component::throw_unsupported_type() const {
  throw_unsupported("type " + in_quotes(type()));
}

void Component::throw_kind(const std::string& key, const char* expected) const {
  throw_damaged(in_quotes(key) + " holds JSON " + value(key).type_name() + ", expected " +
                expected);
}

}  // namespace oneshot
