#include "engine/evaluate/choice_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/text_file.h"
#include "engine/error.h"

namespace oneshot {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const std::string& where, const std::string& message) {
  throw Error(ErrorCode::Checkpoint, where + ": " + message);
}

json parse_row(const std::string& line, const std::string& where) {
  json row = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!row.is_object()) {
    fail(where, "no JSON object; a row is {\"context\": …, \"choices\": […], \"answer\": 0}");
  }
  return row;
}

const json& value_of(const json& row, const char* key, const std::string& where) {
  const auto found = row.find(key);
  if (found == row.end()) {
    fail(where, "'" + std::string(key) + "' is missing");
  }
  return *found;
}

std::string text_of(const json& value, const std::string& what, const std::string& where) {
  if (!value.is_string()) {
    fail(where, what + " must be a text, found " + value.dump().substr(0, 40));
  }
  return value.get<std::string>();
}

std::vector<int32_t> ids_of(const std::string& text,
                            const std::string& what,
                            const ChoiceItem& item,
                            const Tokenizer& tokenizer) {
  std::vector<int32_t> ids = tokenizer.encode(text, false);
  if (ids.empty()) {
    fail(item.where, "the " + what + " has no tokens");
  }
  return ids;
}

int64_t characters_of(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

void read_choices(const json& choices, ChoiceItem& item, const Tokenizer& tokenizer) {
  if (!choices.is_array() || choices.size() < 2) {
    fail(item.where, "'choices' must be a list of two texts or more");
  }
  for (const json& choice : choices) {
    const std::string text = text_of(choice, "a choice", item.where);
    item.choices.push_back(ids_of(text, "choice '" + text + "'", item, tokenizer));
    item.characters.push_back(characters_of(text));
  }
}

/// A path or a list of paths, from the folder of the file.
std::vector<std::filesystem::path> images_of(const json& row,
                                             const std::filesystem::path& folder,
                                             const std::string& where) {
  const auto image = row.find("image");
  std::vector<std::filesystem::path> images;
  if (image == row.end() || image->is_null()) {
    return images;
  }
  if (!image->is_array()) {
    return {folder / text_of(*image, "'image'", where)};
  }
  for (const json& one : *image) {
    images.push_back(folder / text_of(one, "an image", where));
  }
  return images;
}

std::vector<int32_t> context_of(const json& row,
                                const ChoiceItem& item,
                                const ContextReader& contexts) {
  const std::string text = text_of(value_of(row, "context", item.where), "'context'", item.where);
  std::vector<int32_t> ids;
  try {
    ids = contexts.ids(text, item.images);
  } catch (const Error& error) {  // knows the image and not the row
    throw Error(error.code(), item.where + ": " + error.what());
  }
  if (ids.empty()) {
    fail(item.where, "the context has no tokens");
  }
  return ids;
}

ChoiceItem read_item(const json& row,
                     const std::filesystem::path& folder,
                     const std::string& where,
                     const Tokenizer& tokenizer,
                     const ContextReader& contexts) {
  ChoiceItem item;
  item.where = where;
  item.images = images_of(row, folder, where);
  item.context = context_of(row, item, contexts);
  read_choices(value_of(row, "choices", where), item, tokenizer);
  const json& answer = value_of(row, "answer", where);
  const auto last = static_cast<int64_t>(item.choices.size()) - 1;
  if (!answer.is_number_integer() || answer < 0 || answer > last) {
    fail(where,
         "'answer' must be the index of a choice, 0 to " + std::to_string(last) + ", found " +
             answer.dump().substr(0, 40));
  }
  item.answer = answer.get<size_t>();
  if (const auto category = row.find("category"); category != row.end() && !category->is_null()) {
    item.category = text_of(*category, "'category'", where);
  }
  return item;
}

}  // namespace

std::vector<ChoiceItem> read_choice_file(const std::filesystem::path& file,
                                         const Tokenizer& tokenizer,
                                         const ContextReader& contexts) {
  const std::string text = read_text_file(file, "--choices");
  std::vector<ChoiceItem> items;
  int64_t number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    const std::string where = file.string() + ":" + std::to_string(number);
    items.push_back(
        read_item(parse_row(line, where), file.parent_path(), where, tokenizer, contexts));
  }
  if (items.empty()) {
    throw Error(ErrorCode::Checkpoint, file.string() + ": has no rows");
  }
  return items;
}

}  // namespace oneshot
