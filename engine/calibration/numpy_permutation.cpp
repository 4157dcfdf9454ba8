#include "engine/calibration/numpy_permutation.h"

#include <array>
#include <bit>
#include <cstddef>
#include <numeric>
#include <utility>

namespace oneshot {
namespace {

__extension__ using Wide = unsigned __int128;

/// Spreads a seed over a pool of 128 bits: numpy's SeedSequence, for seeds of up to 64 bits.
class SeedPool {
 public:
  explicit SeedPool(uint64_t seed) {
    const std::array<uint32_t, 4> words{static_cast<uint32_t>(seed),
                                        static_cast<uint32_t>(seed >> 32)};
    for (size_t i = 0; i < pool_.size(); ++i) {
      pool_[i] = hashed(words[i]);
    }
    for (size_t from = 0; from < pool_.size(); ++from) {
      for (size_t to = 0; to < pool_.size(); ++to) {
        if (from != to) {
          pool_[to] = mixed(pool_[to], hashed(pool_[from]));
        }
      }
    }
  }

  /// Four words that a generator starts from.
  std::array<uint64_t, 4> state() const {
    std::array<uint64_t, 4> words{};
    uint32_t constant = 0x8b51f9dd;
    for (size_t i = 0; i < 8; ++i) {
      uint32_t value = pool_[i % pool_.size()] ^ constant;
      constant *= 0x58f38ded;
      value *= constant;
      value ^= value >> 16;
      words[i / 2] |= uint64_t{value} << (32 * (i % 2));
    }
    return words;
  }

 private:
  uint32_t hashed(uint32_t value) {
    value ^= constant_;
    constant_ *= 0x931e8875;
    value *= constant_;
    return value ^ (value >> 16);
  }

  static uint32_t mixed(uint32_t x, uint32_t y) {
    const uint32_t value = 0xca01f9dd * x - 0x4973f715 * y;
    return value ^ (value >> 16);
  }

  uint32_t constant_ = 0x43b0d7e5;
  std::array<uint32_t, 4> pool_{};
};

/// PCG64, as numpy seeds it.
class Generator {
 public:
  explicit Generator(uint64_t seed) {
    const std::array<uint64_t, 4> words = SeedPool(seed).state();
    increment_ = (wide(words[2], words[3]) << 1) | 1;
    step();
    state_ += wide(words[0], words[1]);
    step();
  }

  /// A number from 0 to `largest`, each as likely as the others.
  uint64_t up_to(uint64_t largest) {
    const uint64_t mask = ~uint64_t{0} >> std::countl_zero(largest);
    const bool is_narrow = largest <= 0xffffffff;
    uint64_t value = 0;
    do {
      value = (is_narrow ? next_half() : next()) & mask;
    } while (value > largest);
    return value;
  }

 private:
  static Wide wide(uint64_t high, uint64_t low) { return Wide{high} << 64 | low; }

  void step() { state_ = state_ * wide(0x2360ed051fc65da4, 0x4385df649fccf645) + increment_; }

  uint64_t next() {
    step();
    const auto folded = static_cast<uint64_t>(state_ >> 64) ^ static_cast<uint64_t>(state_);
    return std::rotr(folded, static_cast<int>(state_ >> 122));
  }

  /// The lower half of a number, then its upper half.
  uint32_t next_half() {
    if (has_half_) {
      has_half_ = false;
      return half_;
    }
    const uint64_t both = next();
    half_ = static_cast<uint32_t>(both >> 32);
    has_half_ = true;
    return static_cast<uint32_t>(both);
  }

  Wide state_ = 0, increment_ = 0;
  uint32_t half_ = 0;
  bool has_half_ = false;
};

}  // namespace

std::vector<int64_t> numpy_permutation(uint64_t seed, int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  Generator generator(seed);
  for (size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[generator.up_to(i - 1)]);
  }
  return order;
}

}  // namespace oneshot
