// How this room reports: one line, the position first.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace oneshot::recipes {

/// Throws Error with the line "WHERE: MESSAGE".
[[noreturn]] void fail(const std::string& where,
                       const std::string& message,
                       ErrorCode code = ErrorCode::Recipe);

/// A user's text on one line: control characters and what is not UTF-8 escaped, cut after `limit`
/// bytes and marked "…".
std::string printable(std::string_view text, size_t limit = 200);

/// A user's text in single quotes: printable, at most 60 bytes of it.
std::string in_quotes(std::string_view text);

/// "a, b or c".
std::string join(std::span<const std::string> words, const std::string& last = "or");

/// ", did you mean 'x'?" when a known word is near; else `otherwise`.
std::string did_you_mean(std::string_view word,
                         std::span<const std::string> known,
                         const std::string& otherwise);

}  // namespace oneshot::recipes
