#include "engine/calibration/conversation.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/nearest_word.h"

namespace oneshot {
namespace {

using Json = nlohmann::ordered_json;

struct Role {
  std::string_view name;  // ShareGPT's
  std::string_view role;  // a template's
};

constexpr std::array<Role, 8> kShareGptRoles{{
    {"human", "user"},
    {"user", "user"},
    {"gpt", "assistant"},
    {"assistant", "assistant"},
    {"system", "system"},
    {"tool", "tool"},
    {"observation", "tool"},
    {"function", "function"},
}};

/// A message of a conversation and where it stands.
struct Place {
  const RowPlace& row;
  std::string field;  // "messages[2]"

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::Checkpoint, row.text() + ": " + field + ": " + what);
  }
};

std::string translated_role(const std::string& name, const Place& place) {
  std::vector<std::string> known;
  for (const Role& role : kShareGptRoles) {
    if (role.name == name) {
      return std::string(role.role);
    }
    known.emplace_back(role.name);
  }
  const auto near = nearest(name, known);
  place.fail("unknown role " + in_quotes(name) +
             (near ? ", did you mean '" + *near + "'?" : "; known are human, gpt, system, tool"));
}

/// A content that is no text: a list of parts, each of which must be text or an image.
void check_parts(const Json& parts, const Place& place) {
  for (const Json& part : parts) {
    const auto type = part.is_object() ? part.find("type") : part.end();
    if (!part.is_object() || type == part.end() || !type->is_string()) {
      place.fail("a part of the content is no object with a 'type'");
    }
    if (*type == "image") {
      continue;
    }
    if (*type != "text") {
      throw Error(ErrorCode::Unsupported,
                  place.row.text() + ": " + place.field + ": content of type " +
                      in_quotes(type->get<std::string>()) +
                      " is not supported; use a dataset of texts and images");
    }
    const auto text = part.find("text");
    if (text == part.end() || !text->is_string()) {
      place.fail("a part of type 'text' has no text");
    }
  }
}

Json read_message(const Json& message, const Place& place) {
  if (!message.is_object()) {
    place.fail(std::string("holds JSON ") + message.type_name() + ", expected a message");
  }
  const bool is_share_gpt = message.contains("from") && !message.contains("role");
  const char* const role_key = is_share_gpt ? "from" : "role";
  const bool has_value =
      is_share_gpt || (!message.contains("content") && message.contains("value"));
  const char* const content_key = has_value ? "value" : "content";
  const auto role = message.find(role_key);
  if (role == message.end() || !role->is_string()) {
    place.fail("a message needs a 'role' and a 'content', or 'from' and 'value'");
  }
  const auto content = message.find(content_key);
  const bool is_text = content != message.end() && content->is_string();
  const bool is_list = content != message.end() && content->is_array();
  if (!is_text && !is_list && !message.contains("tool_calls")) {
    place.fail("'" + std::string(content_key) + "' " +
               (content == message.end()
                    ? "is missing"
                    : std::string("holds JSON ") + content->type_name() + ", expected a text"));
  }
  if (is_list) {
    check_parts(*content, place);
  }
  if (!has_value) {
    return message;
  }
  return {{"role", translated_role(role->get<std::string>(), place)}, {"content", *content}};
}

/// The text of a message; of several parts, one after the other.
std::string text_of(const Json& message) {
  const auto content = message.find("content");
  if (content == message.end() || content->is_null()) {
    return "";
  }
  if (content->is_string()) {
    return content->get<std::string>();
  }
  std::string text;
  for (const Json& part : *content) {
    if (part.at("type") == "text") {
      text += part.at("text").get<std::string>();
    }
  }
  return text;
}

}  // namespace

Json read_messages(const Json& list, const std::string& field, const RowPlace& place) {
  Json messages = Json::array();
  for (const Json& message : list) {
    messages.push_back(read_message(
        message, {place, in_quotes(field) + "[" + std::to_string(messages.size()) + "]"}));
  }
  return messages;
}

std::string joined_contents(const Json& messages) {
  std::string joined;
  for (const Json& message : messages) {
    const std::string text = text_of(message);
    joined += joined.empty() || text.empty() ? text : "\n" + text;
  }
  return joined;
}

}  // namespace oneshot
