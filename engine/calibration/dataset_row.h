// What a row of a JSON dataset holds: a text, a conversation, or token ids.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/calibration/json_row.h"

namespace oneshot {

/// Messages {role, content, …}, as read_messages() makes them, and what is looked at in them.
struct Conversation {
  nlohmann::ordered_json messages;
  std::vector<std::string> images;  // their paths, as the row has them
};

using DatasetRow = std::variant<std::string, Conversation, std::vector<int32_t>>;

/// A row is a text, or an object. Of an object the named field counts, whatever of the three it
/// holds; without a name the first that is there of
/// - input_ids: whole numbers; the zeros at both ends of an attention_mask cut off what is padding;
/// - messages, conversations: {role, content}, or ShareGPT's {from, value} with human as user, gpt
///   as assistant; a content may be a list of {type: text, text} and {type: image};
/// - text.
/// The images of a conversation are the row's `image`, or `images`: a path or a list of paths.
/// throws Checkpoint with file:line when it is none of these, naming the fields that are there;
/// Unsupported for a row with a video or a sound.
DatasetRow parse_dataset_row(const std::string& json,
                             const RowPlace& place,
                             const std::optional<std::string>& field);

}  // namespace oneshot
