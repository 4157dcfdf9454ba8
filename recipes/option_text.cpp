#include "recipes/option_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <vector>

#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

constexpr size_t kMostWordsInMessage = 8;
constexpr std::array<std::string_view, 3> kMedia{"image", "video", "audio"};

/// Two spellings of one word become equal.
std::string folded(std::string text, Spelling spelling) {
  for (char& c : text) {
    if (spelling == Spelling::AnyCase) {
      c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (spelling == Spelling::Hyphens && c == '-') {
      c = '_';
    }
  }
  return text;
}

std::filesystem::path folder_of(const YamlNode& node, const Folders& folders) {
  if (node.command_line) {
    return folders.command_line;
  }
  return node.file.empty() ? folders.recipe
                           : absolute_folder(std::filesystem::path(node.file).parent_path());
}

[[noreturn]] void refuse_word(const YamlNode& node,
                              const Option& option,
                              const std::string& subject) {
  const std::string word = in_quotes(node.text);
  if (option.words.size() > kMostWordsInMessage) {
    const std::string all = "; it knows " + join(option.words, "and");
    fail(node.where,
         subject + " does not know " + word + did_you_mean(node.text, option.words, all));
  }
  fail(node.where,
       subject + " must be " + join(option.words) + ", found " + word +
           did_you_mean(node.text, option.words, ""));
}

/// One KIND=DIR of a list.
struct MediaFolder {
  std::string kind;
  std::string folder;
};

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t comma = text.find(','); comma != std::string::npos; comma = text.find(',', begin)) {
    parts.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

MediaFolder read_media_folder(const std::string& part,
                              const YamlNode& node,
                              const std::string& subject) {
  const std::vector<std::string> known(kMedia.begin(), kMedia.end());
  const size_t equals = part.find('=');
  if (equals == std::string::npos || equals + 1 == part.size()) {
    fail(node.where, subject + " must be KIND=DIR between commas, found " + in_quotes(part));
  }
  MediaFolder media{part.substr(0, equals), part.substr(equals + 1)};
  if (std::count(known.begin(), known.end(), media.kind) == 0) {
    fail(node.where,
         subject + " knows the kinds " + join(known, "and") + ", found " + in_quotes(media.kind) +
             did_you_mean(media.kind, known, ""));
  }
  return media;
}

}  // namespace

std::filesystem::path absolute_folder(const std::filesystem::path& folder) {
  const auto whole = (std::filesystem::current_path() / folder).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

TextValue read_text(const YamlNode& node, const Option& option, const std::string& subject) {
  if (node.kind != YamlNode::Kind::Scalar) {
    fail(node.where, subject + " must be a text, found " + found(node));
  }
  if (node.text.empty()) {
    fail(node.where, subject + " is an empty text");
  }
  const std::string wanted = folded(node.text, option.spelling);
  for (const std::string& word : option.words) {
    if (folded(word, option.spelling) == wanted) {
      return {.text = word, .where = node.where};
    }
  }
  if (!option.words.empty() && option.type != OptionType::Path) {
    refuse_word(node, option, subject);
  }
  return {.text = node.text, .where = node.where};
}

TextValue read_path(const YamlNode& node,
                    const Option& option,
                    const std::string& subject,
                    const Folders& folders) {
  TextValue value = read_text(node, option, subject);
  if (std::count(option.words.begin(), option.words.end(), value.text) > 0) {
    return value;
  }
  const std::filesystem::path folder = folder_of(node, folders);
  value.path = (folder / value.text).lexically_normal();
  if (folder != folders.recipe) {
    value.text = value.path.string();  // so that it means the same from the recipe's folder
  }
  return value;
}

TextValue read_image_folder(const YamlNode& node,
                            const Option& option,
                            const std::string& subject,
                            const Folders& folders) {
  TextValue value = read_path(node, option, subject, folders);
  const bool is_list = std::any_of(kMedia.begin(), kMedia.end(), [&](std::string_view kind) {
    return node.text.starts_with(std::string(kind) + "=");
  });
  if (!is_list) {
    return value;
  }
  const std::filesystem::path folder = folder_of(node, folders);
  value.path.clear();
  value.text.clear();
  std::vector<std::string> seen;
  for (const std::string& part : parts_of(node.text)) {
    const MediaFolder media = read_media_folder(part, node, subject);
    if (std::count(seen.begin(), seen.end(), media.kind) > 0) {
      fail(node.where, subject + " names " + in_quotes(media.kind) + " twice");
    }
    seen.push_back(media.kind);
    const std::filesystem::path whole = (folder / media.folder).lexically_normal();
    value.path = media.kind == "image" ? whole : value.path;
    value.text += (value.text.empty() ? "" : ",") + media.kind + "=" +
                  (folder == folders.recipe ? media.folder : whole.string());
  }
  if (value.path.empty()) {
    fail(node.where, subject + " names no folder of images: write image=DIR");
  }
  return value;
}

}  // namespace oneshot::recipes
