// The "decoder" of tokenizer.json: how the strings of tokens become text again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/text/component.h"

namespace oneshot {

/// Changes the list of token strings; joined in the end they are the text.
using TokenDecoder = std::function<void(std::vector<std::string>& tokens)>;

/// ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace, BPEDecoder, Sequence; without a
/// component a space goes between the tokens.
/// throws Unsupported naming any other type, Checkpoint when a setting is damaged.
TokenDecoder make_token_decoder(const std::optional<Component>& component);

}  // namespace oneshot
