#include "engine/models/config_reader.h"

#include "engine/error.h"

namespace oneshot {

using nlohmann::json;

const json* ConfigReader::find(const char* key) const {
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

void ConfigReader::fail(const char* key, const char* wanted) const {
  const json* value = find(key);
  throw Error(ErrorCode::Checkpoint,
              where_ + ": '" + key + "' must be " + wanted + ", found " +
                  (value == nullptr ? "nothing" : value->dump().substr(0, 80)));
}

ConfigReader ConfigReader::section(const char* key) const {
  static const json kEmpty = json::object();
  const json* value = find(key);
  if (value != nullptr && !value->is_object()) {
    fail(key, "an object");
  }
  return {value == nullptr ? kEmpty : *value, where_ + ": " + key};
}

int64_t ConfigReader::integer(const char* key, int64_t fallback) const {
  const json* value = find(key);
  if (value != nullptr && !value->is_number_integer()) {
    fail(key, "a whole number");
  }
  return value == nullptr ? fallback : value->get<int64_t>();
}

int64_t ConfigReader::required_size(const char* key) const {
  const int64_t size = integer(key, 0);
  if (size <= 0 || size >= int64_t{1} << 40) {
    fail(key, "a size above 0");
  }
  return size;
}

std::optional<double> ConfigReader::optional_number(const char* key) const {
  const json* value = find(key);
  if (value != nullptr && !value->is_number()) {
    fail(key, "a number");
  }
  return value == nullptr ? std::nullopt : std::optional(value->get<double>());
}

double ConfigReader::number(const char* key, double fallback) const {
  return optional_number(key).value_or(fallback);
}

std::vector<double> ConfigReader::numbers(const char* key) const {
  std::vector<double> numbers;
  const json* value = find(key);
  if (value == nullptr) {
    return numbers;
  }
  if (!value->is_array()) {
    fail(key, "a list of numbers");
  }
  for (const json& item : *value) {
    if (!item.is_number()) {
      fail(key, "a list of numbers");
    }
    numbers.push_back(item.get<double>());
  }
  return numbers;
}

std::vector<int64_t> ConfigReader::integers(const char* key) const {
  std::vector<int64_t> integers;
  const json* value = find(key);
  if (value == nullptr || !value->is_array()) {
    return integers;
  }
  for (const json& item : *value) {
    if (!item.is_number_integer()) {
      fail(key, "a list of whole numbers");
    }
    integers.push_back(item.get<int64_t>());
  }
  return integers;
}

std::vector<int64_t> ConfigReader::integers(const char* key, std::vector<int64_t> fallback) const {
  const json* value = find(key);
  if (value != nullptr && !value->is_array()) {
    fail(key, "a list of whole numbers");
  }
  return value == nullptr ? std::move(fallback) : integers(key);
}

bool ConfigReader::boolean(const char* key, bool fallback) const {
  const json* value = find(key);
  if (value != nullptr && !value->is_boolean()) {
    fail(key, "true or false");
  }
  return value == nullptr ? fallback : value->get<bool>();
}

std::string ConfigReader::text(const char* key, const std::string& fallback) const {
  const json* value = find(key);
  if (value != nullptr && !value->is_string()) {
    fail(key, "a text");
  }
  return value == nullptr ? fallback : value->get<std::string>();
}

std::vector<std::string> ConfigReader::texts(const char* key) const {
  std::vector<std::string> texts;
  const json* value = find(key);
  if (value == nullptr) {
    return texts;
  }
  if (!value->is_array()) {
    fail(key, "a list of texts");
  }
  for (const json& item : *value) {
    if (!item.is_string()) {
      fail(key, "a list of texts");
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

}  // namespace oneshot
