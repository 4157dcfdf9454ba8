#include "engine/vision/image_keys.h"

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"

namespace oneshot {

using nlohmann::json;

const json* ImageKeys::find(const char* key) const {
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

std::string ImageKeys::found(const char* key) const {
  const json* value = find(key);
  return value == nullptr
             ? "nothing"
             : value->dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 80);
}

void ImageKeys::fail(const char* key, const std::string& wanted) const {
  throw Error(ErrorCode::Checkpoint,
              one_line(where_) + ": '" + key + "' must be " + wanted + ", found " + found(key));
}

void ImageKeys::refuse(const char* key, const std::string& supported) const {
  throw Error(ErrorCode::Unsupported,
              one_line(where_) + ": '" + key + "' is " + found(key) + ", supported: " + supported);
}

bool ImageKeys::is_object(const char* key) const {
  const json* value = find(key);
  return value != nullptr && value->is_object();
}

ImageKeys ImageKeys::section(const char* key) const {
  static const json kEmpty = json::object();
  const json* value = find(key);
  if (value != nullptr && !value->is_object()) {
    fail(key, "an object");
  }
  return {value == nullptr ? kEmpty : *value, where_ + ": " + key};
}

int64_t ImageKeys::size(const char* key, int64_t fallback, int64_t most) const {
  return has(key) ? size(key, most) : fallback;
}

int64_t ImageKeys::size(const char* key, int64_t most) const {
  const json* value = find(key);
  const bool fits = value != nullptr && value->is_number_integer() && *value >= 1 && *value <= most;
  if (!fits) {
    fail(key, "a whole number from 1 to " + std::to_string(most));
  }
  return value->get<int64_t>();
}

int64_t ImageKeys::integer(const char* key, int64_t fallback) const {
  const json* value = find(key);
  if (value != nullptr && !value->is_number_integer()) {
    fail(key, "a whole number");
  }
  return value == nullptr ? fallback : value->get<int64_t>();
}

double ImageKeys::number(const char* key, double fallback) const {
  const json* value = find(key);
  if (value != nullptr && !value->is_number()) {
    fail(key, "a number");
  }
  return value == nullptr ? fallback : value->get<double>();
}

bool ImageKeys::boolean(const char* key, bool fallback) const {
  const json* value = find(key);
  if (value != nullptr && !value->is_boolean()) {
    fail(key, "true or false");
  }
  return value == nullptr ? fallback : value->get<bool>();
}

std::string ImageKeys::text(const char* key, const std::string& fallback) const {
  const json* value = find(key);
  if (value != nullptr && !value->is_string()) {
    fail(key, "a text");
  }
  return value == nullptr ? fallback : value->get<std::string>();
}

std::vector<std::string> ImageKeys::texts(const char* key) const {
  std::vector<std::string> texts;
  if (!has(key)) {
    return texts;
  }
  if (!find(key)->is_array()) {
    fail(key, "a list of texts");
  }
  for (const json& item : *find(key)) {
    if (!item.is_string()) {
      fail(key, "a list of texts");
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::array<double, 3> ImageKeys::colours(const char* key,
                                         const std::array<double, 3>& fallback) const {
  const json* value = find(key);
  if (value == nullptr) {
    return fallback;
  }
  if (value->is_number()) {
    const double same = value->get<double>();
    return {same, same, same};
  }
  std::array<double, 3> colours{};
  if (!value->is_array() || value->size() != colours.size()) {
    fail(key, "three numbers");
  }
  for (size_t i = 0; i < colours.size(); ++i) {
    if (!(*value)[i].is_number()) {
      fail(key, "three numbers");
    }
    colours[i] = (*value)[i].get<double>();
  }
  return colours;
}

}  // namespace oneshot
