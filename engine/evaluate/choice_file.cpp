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
    fail(where,
         "no JSON object; a row is {\"context\": …, \"choices\": […], \"answer\": 0} or "
         "{\"context\": …, \"answers\": […]}");
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

void read_right_choice(const json& answer, ChoiceItem& item) {
  const auto last = static_cast<int64_t>(item.choices.size()) - 1;
  if (!answer.is_number_integer() || answer < 0 || answer > last) {
    fail(item.where,
         "'answer' must be the index of a choice, 0 to " + std::to_string(last) + ", found " +
             answer.dump().substr(0, 40));
  }
  item.answer = answer.get<size_t>();
}

/// A text or a list of texts.
std::vector<std::string> answers_of(const json& answers, const std::string& where) {
  if (!answers.is_array()) {
    return {text_of(answers, "'answers'", where)};
  }
  if (answers.empty()) {
    fail(where, "'answers' must be a text or a list of one text or more, found []");
  }
  std::vector<std::string> texts;
  for (const json& answer : answers) {
    texts.push_back(text_of(answer, "an answer", where));
  }
  return texts;
}

bool has(const json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && !found->is_null();
}

void read_choices_or_answers(const json& row, ChoiceItem& item, const Tokenizer& tokenizer) {
  if (has(row, "choices") == has(row, "answers")) {
    const char* found =
        has(row, "choices") ? "'choices' and 'answers'" : "neither 'choices' nor 'answers'";
    fail(item.where, std::string("has ") + found + "; write one of them");
  }
  if (has(row, "answers")) {
    item.answers = answers_of(row["answers"], item.where);
    return;
  }
  read_choices(row["choices"], item, tokenizer);
  read_right_choice(value_of(row, "answer", item.where), item);
}

/// A path or a list of paths, from the folder of the file.
std::vector<std::filesystem::path> images_of(const json& row,
                                             const std::filesystem::path& folder,
                                             const std::string& where) {
  std::vector<std::filesystem::path> images;
  if (!has(row, "image")) {
    return images;
  }
  const json& image = row["image"];
  if (!image.is_array()) {
    return {folder / text_of(image, "'image'", where)};
  }
  for (const json& one : image) {
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
  read_choices_or_answers(row, item, tokenizer);
  if (has(row, "category")) {
    item.category = text_of(row["category"], "'category'", where);
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
