// The "added_tokens" of tokenizer.json: strings that are found in the text before the model sees
// it, special ones among them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/text/component.h"
#include "engine/text/normalizer.h"
#include "engine/text/pattern.h"
#include "engine/text/vocabulary.h"

namespace oneshot {

/// A stretch of text: an added token, or what lies between two.
struct Segment {
  Range range;
  std::optional<int32_t> id;
};

/// Finds a set of strings: the leftmost, of those the longest.
class TokenFinder {
 public:
  struct Token {
    int32_t id = 0;
    bool single_word = false;  // only where no word character stands beside it
    bool lstrip = false;       // takes the white space before it along
    bool rstrip = false;       // and the one after it
  };

  TokenFinder() = default;
  TokenFinder(const TokenFinder&) = delete;  // holds pointers to its own tokens
  TokenFinder& operator=(const TokenFinder&) = delete;

  void add(std::string_view pattern, const Token& token);

  /// The whole text, in order; nothing for an empty text.
  std::vector<Segment> split(std::string_view text) const;

 private:
  std::optional<Range> find(std::string_view text, size_t from, const Token*& token) const;

  std::vector<const Token*> ends_{nullptr};  // of each node of the tree, the token that ends there
  std::unordered_map<uint64_t, uint32_t> children_;  // node · 256 + byte → node; node 0 is the root
  std::array<bool, 256> begins_{};                   // bytes with which a pattern begins
  std::unordered_map<std::string, Token> tokens_;
};

class AddedTokens {
 public:
  /// Ids are those of the vocabulary; other tokens are numbered on from its size in the order of
  /// the file, as the library does it whatever the file says.
  /// throws Checkpoint when the list is damaged.
  AddedTokens(const Component& file, const Vocabulary& vocabulary, const Normalizer& normalizer);

  const TokenFinder& in_raw_text() const { return raw_; }
  const TokenFinder& in_normalized_text() const { return normalized_; }

  std::optional<int32_t> id_of(std::string_view token) const;
  const std::string* token_of(int32_t id) const;   // its content; null: not an added one
  const std::string* decodable(int32_t id) const;  // as the decoder is to see it; null as above
  bool is_special(const std::string& token) const { return special_.count(token) > 0; }
  int64_t outside_vocabulary() const { return outside_vocabulary_; }

 private:
  struct Entry {
    std::string content, decodable;
    TokenFinder::Token token;
    bool is_normalized = false;
  };

  Entry read(const Component& component, const Normalizer& normalizer);

  TokenFinder raw_, normalized_;
  StringMap<int32_t> ids_;
  std::unordered_map<int32_t, Entry> entries_;
  std::unordered_set<std::string> special_;
  int64_t outside_vocabulary_ = 0;
};

}  // namespace oneshot
