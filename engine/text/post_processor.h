// The "post_processor" of tokenizer.json: the special tokens around the ids of a text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "engine/text/component.h"

namespace oneshot {

/// Adds the special tokens of a single text.
using PostProcessor = std::function<void(std::vector<int32_t>& ids)>;

/// TemplateProcessing, ByteLevel (which changes no ids), Sequence; without a component, nothing.
/// throws Unsupported naming any other type, Checkpoint when a setting is damaged.
PostProcessor make_post_processor(const std::optional<Component>& component);

}  // namespace oneshot
