// The ids of words met before: most words of a text are.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/vocabulary.h"

namespace oneshot {

/// Used by many threads at once. Holds a bounded number of short words; a full shard starts anew.
class WordCache {
 public:
  /// Appends the ids of the word; false when it is not here.
  bool append(std::string_view word, std::vector<int32_t>& ids);

  void insert(std::string_view word, const int32_t* ids, size_t count);

 private:
  struct alignas(64) Shard {
    std::mutex mutex;
    StringMap<std::vector<int32_t>> words;
  };

  Shard& shard_of(std::string_view word);

  std::array<Shard, 16> shards_;
};

}  // namespace oneshot
