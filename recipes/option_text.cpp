#include "recipes/option_text.h"

#include <algorithm>
#include <cctype>

#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

constexpr size_t kMostWordsInMessage = 8;

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

}  // namespace oneshot::recipes
