// The random numbers of Python's `random`, so that samples come in the order in which they come
// there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace oneshot {

/// Mersenne Twister (MT19937), seeded as `random.seed(n)` does for an integer.
/// Source: CPython 3, Modules/_randommodule.c and Lib/random.py.
class PythonRandom {
 public:
  explicit PythonRandom(uint64_t seed);

  /// As `random.shuffle`.
  void shuffle(std::vector<size_t>& values);

 private:
  uint32_t next();
  size_t below(size_t limit);  // limit ≥ 1

  static constexpr size_t kWords = 624;
  std::array<uint32_t, kWords> state_{};
  size_t used_ = kWords;
};

/// Batches of samples: all of them in a random order, a batch after the other; when fewer than a
/// batch are left, they are dropped and all are shuffled again.
/// Source: the index sampler of auto-round.
class BatchSampler {
 public:
  /// batch ≤ samples.
  BatchSampler(uint64_t seed, size_t samples, size_t batch);

  std::vector<size_t> next();

  /// As if that many batches had been taken and the next one began with a shuffle: where the block
  /// after one that was tuned for so many iterations begins.
  void skip_block(size_t batches);

 private:
  void shuffle();

  PythonRandom random_;
  std::vector<size_t> order_;
  size_t batch_;
  size_t used_ = 0;
};

}  // namespace oneshot
