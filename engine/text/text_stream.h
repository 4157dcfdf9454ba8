// Text that comes token by token.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/text/tokenizer.h"

namespace oneshot {

/// Decodes tokens as they come, and gives out whole characters only: one may have several tokens.
/// What it has given in all is what Tokenizer::decode makes of all tokens, special ones left out.
class TextStream {
 public:
  explicit TextStream(Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}

  /// What the token adds to the text; empty while a character is not complete.
  std::string add(int32_t id);
  /// What is left, U+FFFD for characters that were never completed.
  std::string finish();

  std::string text() const { return tokenizer_.decode(ids_, true); }  // of all tokens

 private:
  std::string rest_of(const std::string& text);

  Tokenizer tokenizer_;
  std::vector<int32_t> ids_;
  size_t given_ = 0;  // bytes
};

}  // namespace oneshot
