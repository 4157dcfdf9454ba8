// Characters that the library's tables of normalization do not know.
#pragma once

namespace oneshot {

/// True for a character with a combining class, a decomposition or a composition that came with
/// Unicode 9 or later. The library `tokenizers` normalizes with tables of before, and so did every
/// model that was trained on it: such a character is left alone and nothing moves across it.
bool is_newer_character(char32_t code);

}  // namespace oneshot
