#include "engine/text/prompt_template.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/nearest_word.h"

namespace oneshot {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kContent = "{{content}}";

struct TextKey {
  const char* key;
  std::string PromptTemplate::*member;
  bool is_form;  // a message is put into it
};

constexpr std::array<TextKey, 6> kTextKeys{{
    {"model_type", &PromptTemplate::model_type, false},
    {"format_user", &PromptTemplate::format_user, true},
    {"format_assistant", &PromptTemplate::format_assistant, true},
    {"format_system", &PromptTemplate::format_system, true},
    {"format_function", &PromptTemplate::format_function, true},
    {"format_observation", &PromptTemplate::format_observation, true},
}};
constexpr std::array<const char*, 3> kUnusedKeys{
    "format_separator", "default_dataset", "processor"};
constexpr std::array<const char*, 3> kOtherKeys{"default_system", "replace_tokens", "extra_encode"};

/// A role of a message and the form it takes.
struct Role {
  std::string_view name;
  std::string PromptTemplate::*form;
  const char* key;
};

constexpr std::array<Role, 6> kRoles{{
    {"user", &PromptTemplate::format_user, "format_user"},
    {"assistant", &PromptTemplate::format_assistant, "format_assistant"},
    {"system", &PromptTemplate::format_system, "format_system"},
    {"function", &PromptTemplate::format_function, "format_function"},
    {"observation", &PromptTemplate::format_observation, "format_observation"},
    {"tool", &PromptTemplate::format_observation, "format_observation"},
}};

/// A template file and the key that is looked at.
struct Place {
  std::string file;

  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    throw Error(ErrorCode::Checkpoint, one_line(file) + ": " + in_quotes(key) + " " + what);
  }
  std::string text(const Json& value, const std::string& key) const {
    if (!value.is_string()) {
      fail(key, std::string("holds JSON ") + value.type_name() + ", expected a text");
    }
    return value.get<std::string>();
  }
};

[[noreturn]] void throw_unknown(const std::string& key, const Place& place) {
  std::vector<std::string> known;
  known.reserve(kTextKeys.size() + kUnusedKeys.size() + kOtherKeys.size());
  for (const TextKey& one : kTextKeys) {
    known.emplace_back(one.key);
  }
  known.insert(known.end(), kUnusedKeys.begin(), kUnusedKeys.end());
  known.insert(known.end(), kOtherKeys.begin(), kOtherKeys.end());
  std::string all;
  for (const std::string& one : known) {
    all += (all.empty() ? "" : ", ") + one;
  }
  const auto near = nearest(key, known);
  place.fail(key,
             near ? "is no key of a template, did you mean '" + *near + "'?"
                  : "is no key of a template; known are " + all);
}

bool read_flag(const Json& value, const std::string& key, const Place& place) {
  if (value.is_boolean()) {
    return value.get<bool>();
  }
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  if (text == "True" || text == "true") {
    return true;
  }
  if (text != "False" && text != "false") {
    place.fail(key, "must be true or false, or \"True\" or \"False\"");
  }
  return false;
}

std::vector<std::pair<std::string, std::string>> read_pairs(const Json& list,
                                                            const std::string& key,
                                                            const Place& place) {
  if (!list.is_array() || list.size() % 2 != 0) {
    place.fail(key, "must be a list of an even number of texts: old, new, old, new, …");
  }
  std::vector<std::pair<std::string, std::string>> pairs;
  for (size_t i = 0; i < list.size(); i += 2) {
    pairs.emplace_back(place.text(list[i], key), place.text(list[i + 1], key));
    if (pairs.back().first.empty()) {
      place.fail(key, "replaces an empty text");
    }
  }
  return pairs;
}

bool is_one_of(const std::array<const char*, 3>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

void read_key(const std::string& key, const Json& value, const Place& place, PromptTemplate& form) {
  for (const TextKey& known : kTextKeys) {
    if (key != known.key) {
      continue;
    }
    std::string& text = form.*known.member;
    text = place.text(value, key);
    if (known.is_form && !text.empty() && text.find(kContent) == std::string::npos) {
      place.fail(key, "has no {{content}}, where a message would stand");
    }
    return;
  }
  if (is_one_of(kUnusedKeys, key)) {
    place.text(value, key);
    form.unused.push_back(key);
  } else if (key == "default_system") {
    form.default_system = place.text(value, key);
  } else if (key == "replace_tokens") {
    form.replace_tokens = read_pairs(value, key, place);
  } else if (key == "extra_encode") {
    form.extra_encode = read_flag(value, key, place);
  } else {
    throw_unknown(key, place);
  }
}

std::string filled(const std::string& form, const std::string& content) {
  std::string text = form;
  return text.replace(text.find(kContent), kContent.size(), content);
}

std::string replaced(const std::string& text, const std::string& old, const std::string& by) {
  std::string made;
  size_t from = 0;
  for (size_t at = text.find(old); at != std::string::npos; at = text.find(old, from)) {
    made.append(text, from, at - from).append(by);
    from = at + old.size();
  }
  return made.append(text, from);
}

std::string text_of(const nlohmann::ordered_json& message) {
  const auto content = message.find("content");
  return content != message.end() && content->is_string() ? content->get<std::string>() : "";
}

const Role& role_of(const std::string& name) {
  std::vector<std::string> known;
  for (const Role& role : kRoles) {
    if (role.name == name) {
      return role;
    }
    known.emplace_back(role.name);
  }
  const auto near = nearest(name, known);
  throw Error(ErrorCode::Checkpoint,
              "unknown role " + in_quotes(name) +
                  (near ? ", did you mean '" + *near + "'?"
                        : "; known are user, assistant, system, function, observation, tool"));
}

}  // namespace

PromptTemplate parse_prompt_template(const Json& json, const std::string& file) {
  PromptTemplate form;
  form.name = one_line(file);
  form.default_system = "";
  for (const auto& [key, value] : json.items()) {
    read_key(key, value, {file}, form);
  }
  return form;
}

PromptTemplate read_prompt_template(const std::filesystem::path& file) {
  return parse_prompt_template(read_json_object(file, RepeatedKeys::AreErrors), file.string());
}

nlohmann::ordered_json with_replaced_tokens(const PromptTemplate& form,
                                            const nlohmann::ordered_json& messages) {
  if (form.model_type == "llava") {
    return messages;
  }
  nlohmann::ordered_json made = messages;
  for (nlohmann::ordered_json& message : made) {
    const auto content = message.find("content");
    if (content == message.end() || !content->is_string()) {
      continue;
    }
    auto text = content->get<std::string>();
    for (const auto& [old, replacement] : form.replace_tokens) {
      text = replaced(text, old, replacement);
    }
    *content = std::move(text);
  }
  return made;
}

std::string render(const PromptTemplate& form, const nlohmann::ordered_json& messages) {
  std::string text;
  const bool begins_with_system = !messages.empty() && messages.front().at("role") == "system";
  if (form.default_system && !begins_with_system && !form.format_system.empty()) {
    text += filled(form.format_system, *form.default_system);
  }
  for (const nlohmann::ordered_json& message : messages) {
    const Role& role = role_of(message.at("role").get<std::string>());
    const auto calls = message.find("tool_calls");
    if (calls != message.end() && !calls->is_null() && !calls->empty()) {
      throw Error(ErrorCode::Checkpoint,
                  form.name + " has no form for 'tool_calls'; write the call into the content");
    }
    const std::string& shape = form.*role.form;
    if (shape.empty()) {
      throw Error(ErrorCode::Checkpoint,
                  form.name + " has no form for the role '" + std::string(role.name) +
                      "'; write one, `" + role.key + "` of a template file");
    }
    text += filled(shape, text_of(message));
  }
  return text;
}

}  // namespace oneshot
