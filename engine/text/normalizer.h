// The "normalizer" of tokenizer.json: how a text is changed before it is cut.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/text/component.h"

namespace oneshot {

/// Valid UTF-8 in, valid UTF-8 out.
using Normalizer = std::function<std::string(std::string)>;

/// NFC, NFD, NFKC, NFKD, Replace, Prepend, Lowercase, Strip, StripAccents, ByteLevel, Sequence;
/// without a component, the identity.
/// throws Unsupported naming any other type, Checkpoint when a setting is damaged.
Normalizer make_normalizer(const std::optional<Component>& component);

}  // namespace oneshot
