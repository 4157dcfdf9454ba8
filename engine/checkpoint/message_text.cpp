#include "engine/checkpoint/message_text.h"

#include <nlohmann/json.hpp>

namespace oneshot {
namespace {

constexpr size_t kLongestBytes = 200;

bool continues_a_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string escaped =
      nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return escaped.substr(1, escaped.size() - 2);
}

std::string shortened(std::string_view text) {
  if (text.size() <= kLongestBytes) {
    return one_line(text);
  }
  size_t end = kLongestBytes;
  while (end > 0 && continues_a_character(text[end])) {
    --end;
  }
  return one_line(text.substr(0, end)) + "…";
}

std::string in_quotes(std::string_view name) {
  return "'" + shortened(name) + "'";
}

bool is_utf8(std::string_view text) {
  try {
    nlohmann::json(text).dump();
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

}  // namespace oneshot
