// The "pre_tokenizer" of tokenizer.json: how a text is cut into the words that the model sees.
#pragma once

#include <functional>
#include <optional>

#include "engine/text/component.h"
#include "engine/text/pieces.h"

namespace oneshot {

using PreTokenizer = std::function<void(Pieces&)>;

/// Split, ByteLevel, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit,
/// CharDelimiterSplit, Sequence; without a component the text stays whole.
/// throws Unsupported naming any other type, Checkpoint when a setting is damaged.
PreTokenizer make_pre_tokenizer(const std::optional<Component>& component);

}  // namespace oneshot
