// The images of a conversation: from tags in its texts to what a template reads.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/graph/image_family.h"

namespace oneshot {

// Messages are {role, content}; a content is a text, a list of {type: text, text} and
// {type: image}, or null. Each "<image>" in a text and each part {type: image} is the place of one
// image, in order. Within a message that is a text images go to the front, as LLaVA and auto-round
// do it: "<image>" is taken out and the white space around the rest stripped.

/// How many images have a place.
int64_t count_image_places(const nlohmann::ordered_json& messages);

/// True when a content has a part {type: image}.
bool has_image_parts(const nlohmann::ordered_json& messages);

/// All contents as lists of parts, as Transformers' processors pass them to a chat template. What
/// a system says without images stays a text for Mllama, whose template reads it as one.
nlohmann::ordered_json with_image_parts(const nlohmann::ordered_json& messages, ImageFamily family);

/// All contents as texts, with the marks of the family in front; without a family with "<image>"
/// and a line break for each.
nlohmann::ordered_json with_image_marks(const nlohmann::ordered_json& messages,
                                        std::optional<ImageFamily> family);

}  // namespace oneshot
