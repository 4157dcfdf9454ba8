#include "engine/calibration/dataset_row.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "engine/calibration/conversation.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/nearest_word.h"

namespace oneshot {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 4> kRefusedFields{"video", "videos", "audio", "audios"};
constexpr std::array<const char*, 2> kImageFields{"image", "images"};
constexpr size_t kMostNames = 10;  // of fields in a message

[[noreturn]] void throw_bad(const RowPlace& place, const std::string& what) {
  throw Error(ErrorCode::Checkpoint, place.text() + ": " + what);
}

[[noreturn]] void throw_kind(const RowPlace& place,
                             const std::string& name,
                             const Json& value,
                             const std::string& expected) {
  throw_bad(place, in_quotes(name) + " holds JSON " + value.type_name() + ", expected " + expected);
}

std::vector<std::string> keys_of(const Json& row) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : row.items()) {
    keys.push_back(key);
  }
  return keys;
}

/// "its fields are 'prompt', 'answer'".
std::string list_of_fields(const Json& row) {
  if (row.empty()) {
    return "it is empty";
  }
  const std::vector<std::string> keys = keys_of(row);
  std::string names;
  for (size_t i = 0; i < std::min(keys.size(), kMostNames); ++i) {
    names += (i == 0 ? "" : ", ") + in_quotes(keys[i]);
  }
  return "its fields are " + names + (keys.size() > kMostNames ? ", …" : "");
}

bool holds_something(const Json& row, std::string_view field) {
  const auto found = row.find(field);
  return found != row.end() && !found->is_null() && !found->empty();
}

void refuse_media(const Json& row, const RowPlace& place) {
  for (const std::string_view field : kRefusedFields) {
    if (holds_something(row, field)) {
      throw Error(ErrorCode::Unsupported,
                  place.text() + ": a row with '" + std::string(field) +
                      "': calibration with videos or sounds is not supported; use a dataset of "
                      "texts and images");
    }
  }
}

/// The paths of a row's images.
std::vector<std::string> read_images(const Json& row, const RowPlace& place) {
  std::vector<std::string> paths;
  for (const char* field : kImageFields) {
    if (!holds_something(row, field)) {
      continue;
    }
    const Json& value = row[field];
    for (const Json& path : value.is_array() ? value : Json::array({value})) {
      if (!path.is_string() || path.get<std::string>().empty()) {
        throw_kind(place, field, path, "the path of an image, or a list of them");
      }
      paths.push_back(path.get<std::string>());
    }
  }
  return paths;
}

std::vector<int32_t> read_ids(const Json& list, const std::string& name, const RowPlace& place) {
  constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();
  std::vector<int32_t> ids;
  ids.reserve(list.size());
  for (const Json& id : list) {
    const bool fits = id.is_number_integer() && id >= 0 && id <= kLargest;
    if (!fits) {
      throw_bad(place,
                in_quotes(name) + "[" + std::to_string(ids.size()) +
                    "]: expected a token id, found " +
                    (id.is_number() ? id.dump() : std::string("JSON ") + id.type_name()));
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

/// The ids that a mask of ones and zeros leaves; zeros may stand at both ends only.
std::vector<int32_t> without_padding(const std::vector<int32_t>& ids,
                                     const std::vector<int32_t>& mask,
                                     const RowPlace& place) {
  if (mask.size() != ids.size()) {
    throw_bad(place,
              "'attention_mask' has " + std::to_string(mask.size()) + " entries, 'input_ids' " +
                  std::to_string(ids.size()));
  }
  size_t begin = 0, end = mask.size();
  while (begin < end && mask[begin] == 0) {
    ++begin;
  }
  while (begin < end && mask[end - 1] == 0) {
    --end;
  }
  const auto kept = std::span(mask).subspan(begin, end - begin);
  if (std::any_of(kept.begin(), kept.end(), [](int32_t one) { return one != 1; })) {
    throw_bad(place,
              "'attention_mask' must be ones with zeros before and behind them only; a token in "
              "the middle cannot be left out");
  }
  return {ids.begin() + static_cast<ptrdiff_t>(begin), ids.begin() + static_cast<ptrdiff_t>(end)};
}

std::vector<int32_t> read_masked_ids(const Json& row, const RowPlace& place) {
  std::vector<int32_t> ids = read_ids(row["input_ids"], "input_ids", place);
  const auto mask = row.find("attention_mask");
  if (mask == row.end() || mask->is_null()) {
    return ids;
  }
  if (!mask->is_array()) {
    throw_kind(place, "attention_mask", *mask, "a list of ones and zeros");
  }
  return without_padding(ids, read_ids(*mask, "attention_mask", place), place);
}

/// The field that the user named: what it is shows in its value.
DatasetRow read_field(const Json& row, const std::string& field, const RowPlace& place) {
  const auto found = row.find(field);
  if (found == row.end()) {
    const auto near = nearest(field, keys_of(row));
    throw_bad(place,
              "has no field " + in_quotes(field) +
                  (near ? ", did you mean " + in_quotes(*near) + "?" : "") + " (" +
                  list_of_fields(row) + ")");
  }
  if (found->is_string()) {
    return found->get<std::string>();
  }
  const bool is_list = found->is_array();
  if (is_list && field == "input_ids") {
    return read_masked_ids(row, place);
  }
  if (is_list && !found->empty() && found->front().is_number()) {
    return read_ids(*found, field, place);
  }
  if (is_list && (found->empty() || found->front().is_object())) {
    return Conversation{read_messages(*found, field, place), {}};
  }
  throw_kind(place, field, *found, "a text, a list of messages or a list of token ids");
}

/// The first of the fields that rows usually have.
DatasetRow read_usual_field(const Json& row, const RowPlace& place) {
  if (row.contains("input_ids")) {
    if (!row["input_ids"].is_array()) {
      throw_kind(place, "input_ids", row["input_ids"], "a list of token ids");
    }
    return read_masked_ids(row, place);
  }
  for (const char* name : {"messages", "conversations"}) {
    if (row.contains(name)) {
      if (!row[name].is_array()) {
        throw_kind(place, name, row[name], "a list of messages");
      }
      return Conversation{read_messages(row[name], name, place), {}};
    }
  }
  if (!row.contains("text")) {
    throw_bad(place,
              "has no 'text', 'messages', 'conversations' or 'input_ids' (" + list_of_fields(row) +
                  "); name the field that holds the text: `dataset: [{path: …, field: …}]`");
  }
  if (!row["text"].is_string()) {
    throw_kind(place, "text", row["text"], "a text");
  }
  return row["text"].get<std::string>();
}

}  // namespace

DatasetRow parse_dataset_row(const std::string& json,
                             const RowPlace& place,
                             const std::optional<std::string>& field) {
  const Json row = parse_json_row(json, place);
  if (row.is_string() && !field) {
    return row.get<std::string>();
  }
  if (!row.is_object()) {
    throw_bad(place,
              std::string("a row that is JSON ") + row.type_name() + ", expected " +
                  (field ? "an object with the field " + in_quotes(*field)
                         : "a text or an object with 'text', 'messages', 'conversations' or "
                           "'input_ids'"));
  }
  refuse_media(row, place);
  DatasetRow read = field ? read_field(row, *field, place) : read_usual_field(row, place);
  std::vector<std::string> images = read_images(row, place);
  if (auto* conversation = std::get_if<Conversation>(&read)) {
    conversation->images = std::move(images);
  } else if (!images.empty()) {
    throw_bad(place,
              "a row with an image and without a conversation; write its text as "
              "`\"conversations\": [{\"from\": \"human\", \"value\": \"<image>\\n…\"}]`");
  }
  return read;
}

}  // namespace oneshot
