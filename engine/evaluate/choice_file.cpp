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
  const bool is_context = what == "context";
  std::vector<int32_t> ids = tokenizer.encode(text, is_context);
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

ChoiceItem read_item(const json& row, const std::string& where, const Tokenizer& tokenizer) {
  ChoiceItem item;
  item.where = where;
  if (const auto image = row.find("image"); image != row.end() && !image->is_null()) {
    throw Error(ErrorCode::Unsupported,
                where + ": rows with an image cannot be evaluated yet; leave them out");
  }
  const std::string context = text_of(value_of(row, "context", where), "'context'", where);
  item.context = ids_of(context, "context", item, tokenizer);
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
                                         const Tokenizer& tokenizer) {
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
    items.push_back(read_item(parse_row(line, where), where, tokenizer));
  }
  if (items.empty()) {
    throw Error(ErrorCode::Checkpoint, file.string() + ": has no rows");
  }
  return items;
}

}  // namespace oneshot
