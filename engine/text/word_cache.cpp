#include "engine/text/word_cache.h"

namespace oneshot {
namespace {

constexpr size_t kLongestBytes = 128;    // of a word that is kept
constexpr size_t kWordsPerShard = 4096;  // 16 shards: some 10 MB at the most common lengths

}  // namespace

WordCache::Shard& WordCache::shard_of(std::string_view word) {
  // The end of a word tells words apart better than its beginning, which is often a space.
  const size_t end = word.size() - 1;
  const auto last = static_cast<unsigned char>(word[end]);
  const auto before = static_cast<unsigned char>(word[end / 2]);
  return shards_[(last + before * 7 + word.size()) % shards_.size()];
}

bool WordCache::append(std::string_view word, std::vector<int32_t>& ids) {
  if (word.empty() || word.size() > kLongestBytes) {
    return false;
  }
  Shard& shard = shard_of(word);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.words.find(word);
  if (found == shard.words.end()) {
    return false;
  }
  ids.insert(ids.end(), found->second.begin(), found->second.end());
  return true;
}

void WordCache::insert(std::string_view word, const int32_t* ids, size_t count) {
  if (word.empty() || word.size() > kLongestBytes) {
    return;
  }
  Shard& shard = shard_of(word);
  const std::lock_guard lock(shard.mutex);
  if (shard.words.size() >= kWordsPerShard) {
    shard.words.clear();
  }
  shard.words.emplace(word, std::vector<int32_t>(ids, ids + count));
}

}  // namespace oneshot
