// Names and paths as they stand in an error message: one line whatever they hold.
#pragma once

#include <string>
#include <string_view>

namespace oneshot {

/// The text with control characters escaped as in JSON and bytes that are not UTF-8 replaced. For
/// paths.
std::string one_line(std::string_view text);

/// one_line() of at most 200 bytes, with "…" where it was cut. For what a file claims.
std::string shortened(std::string_view text);

/// shortened() between single quotes: how a message names a tensor, a field or a file.
std::string in_quotes(std::string_view name);

/// True when every byte belongs to a well-formed UTF-8 sequence.
bool is_utf8(std::string_view text);

}  // namespace oneshot
