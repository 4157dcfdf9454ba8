// The "model" of tokenizer.json, type BPE: from a word to ids by merging pairs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/text/component.h"
#include "engine/text/vocabulary.h"
#include "engine/text/word_cache.h"

namespace oneshot {

/// Byte pair encoding. Source: Sennrich et al., arXiv:1508.07909, as the library `tokenizers` does
/// it: characters become symbols, then the pair of lowest rank, the leftmost of several, is merged
/// until no pair of neighbours is in the list. Differs: words are whole strings, no end marker
/// unless the file sets one. Time O(n log n) in the length of a word.
class BytePairModel {
 public:
  /// throws Unsupported for other model types and for dropout, Checkpoint when a token of a merge
  /// is not in the vocabulary or a setting is damaged.
  explicit BytePairModel(const Component& model);

  /// Appends the ids of a word. A character that is neither a token, nor made of byte tokens where
  /// the file allows them, becomes the unknown token, or nothing where there is none.
  void append_ids(std::string_view word, std::vector<int32_t>& ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Merge {
    int32_t rank = 0;
    int32_t id = 0;  // of the pair merged
  };

  struct Symbols;

  void read_settings(const Component& model);
  void read_merges(const Component& model);
  void add_merge(const Component& model, std::string_view left, std::string_view right);
  bool add_byte_tokens(const std::string& character, Symbols& symbols) const;
  void split_into_symbols(std::string_view word, Symbols& symbols) const;
  const Merge* find_merge(int32_t left, int32_t right) const;
  void merge_all(Symbols& symbols) const;

  Vocabulary vocabulary_;
  std::unordered_map<uint64_t, Merge> merges_;  // key: left id · 2³² + right id
  int32_t ranks_ = 0;                           // merges read so far
  std::string prefix_;                          // of every character but the first
  std::string suffix_;                          // of the last character
  std::optional<int32_t> unknown_;
  bool fuses_unknown_ = false;
  bool takes_whole_words_ = false;    // ignore_merges: a word that is a token is left whole
  std::vector<int32_t> byte_tokens_;  // 256, -1: not in the vocabulary; empty: no byte fallback
  std::unique_ptr<WordCache> cache_ = std::make_unique<WordCache>();
};

}  // namespace oneshot
