#include "engine/text/image_messages.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace oneshot {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kTag = "<image>";
constexpr const char* kWhiteSpace = " \t\n\v\f\r";

int64_t count_tags(std::string_view text) {
  int64_t count = 0;
  for (size_t at = text.find(kTag); at != std::string_view::npos;
       at = text.find(kTag, at + kTag.size())) {
    ++count;
  }
  return count;
}

bool is_image(const Json& part) {
  return part.at("type") == "image";
}

/// A message's text and how many images stand in it.
struct Content {
  std::string text;
  int64_t images = 0;
};

Content without_tags(const std::string& text) {
  Content content{"", count_tags(text)};
  if (content.images == 0) {
    content.text = text;
    return content;
  }
  std::string rest;
  size_t from = 0;
  for (size_t at = text.find(kTag); at != std::string::npos; at = text.find(kTag, from)) {
    rest += text.substr(from, at - from);
    from = at + kTag.size();
  }
  rest += text.substr(from);
  const size_t begin = rest.find_first_not_of(kWhiteSpace);
  if (begin != std::string::npos) {
    content.text = rest.substr(begin, rest.find_last_not_of(kWhiteSpace) - begin + 1);
  }
  return content;
}

/// Of a text, or of parts: their texts one after the other.
Content content_of(const Json& content) {
  if (content.is_string()) {
    return without_tags(content.get<std::string>());
  }
  Content joined;
  for (const Json& part : content) {
    if (is_image(part)) {
      ++joined.images;
      continue;
    }
    const Content one = without_tags(part.at("text").get<std::string>());
    joined.text += one.text;
    joined.images += one.images;
  }
  return joined;
}

/// The images and the text of a message that is a text, as parts; parts keep their order.
Json parts_of(const Json& content) {
  Json parts = Json::array();
  const auto add = [&parts](const std::string& text) {
    const Content one = without_tags(text);
    for (int64_t i = 0; i < one.images; ++i) {
      parts.push_back({{"type", "image"}});
    }
    if (!one.text.empty() || one.images == 0) {
      parts.push_back({{"type", "text"}, {"text", one.text}});
    }
  };
  if (content.is_string()) {
    add(content.get<std::string>());
    return parts;
  }
  for (const Json& part : content) {
    if (is_image(part)) {
      parts.push_back({{"type", "image"}});
    } else {
      add(part.at("text").get<std::string>());
    }
  }
  return parts;
}

bool has_content(const Json& message) {
  const auto content = message.find("content");
  return content != message.end() && !content->is_null();
}

}  // namespace

int64_t count_image_places(const Json& messages) {
  int64_t count = 0;
  for (const Json& message : messages) {
    count += has_content(message) ? content_of(message.at("content")).images : 0;
  }
  return count;
}

bool has_image_parts(const Json& messages) {
  for (const Json& message : messages) {
    const auto content = message.find("content");
    if (content != message.end() && content->is_array() &&
        std::any_of(content->begin(), content->end(), is_image)) {
      return true;
    }
  }
  return false;
}

Json with_image_parts(const Json& messages, ImageFamily family) {
  Json made = messages;
  for (Json& message : made) {
    if (!has_content(message)) {
      continue;
    }
    const bool stays = family == ImageFamily::Mllama && message.at("role") == "system" &&
                       content_of(message.at("content")).images == 0;
    message["content"] =
        stays ? Json(content_of(message.at("content")).text) : parts_of(message.at("content"));
  }
  return made;
}

Json with_image_marks(const Json& messages, std::optional<ImageFamily> family) {
  Json made = messages;
  int64_t seen = 0;
  for (Json& message : made) {
    if (!has_content(message)) {
      continue;
    }
    const Content content = content_of(message.at("content"));
    // The tag is LLaVA's.
    const std::string marks =
        marks_before_text(family.value_or(ImageFamily::Llava), seen + 1, seen + content.images);
    message["content"] = marks + content.text;
    seen += content.images;
  }
  return made;
}

}  // namespace oneshot
