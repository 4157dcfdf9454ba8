// Conversations of a dataset, checked and brought to the form that chat templates read.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "engine/calibration/json_row.h"

namespace oneshot {

/// The messages of a list as {role, content, …}; a content is a text, a list of {type: text, text}
/// and {type: image}, or null. ShareGPT's {from, value} is translated, {role, value} too; other
/// keys stay. `field` is the list's name, for messages. throws Checkpoint with file:line for what
/// is no message or has no such role, Unsupported for a video, a sound or an image with an address
/// in a content.
nlohmann::ordered_json read_messages(const nlohmann::ordered_json& list,
                                     const std::string& field,
                                     const RowPlace& place);

/// The texts of all contents, joined by line breaks: what `chat_template: none` makes of messages
/// that read_messages() returned.
std::string joined_contents(const nlohmann::ordered_json& messages);

}  // namespace oneshot
