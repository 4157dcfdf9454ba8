#include "engine/calibration/python_random.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace oneshot {

PythonRandom::PythonRandom(uint64_t seed) {
  state_[0] = 19650218;
  for (uint32_t i = 1; i < kWords; ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
  std::vector<uint32_t> key{static_cast<uint32_t>(seed)};
  if (seed >> 32 != 0) {
    key.push_back(static_cast<uint32_t>(seed >> 32));
  }
  size_t i = 1;
  const auto advance = [&] {
    if (++i == kWords) {
      state_[0] = state_[kWords - 1];
      i = 1;
    }
  };
  for (size_t k = 0; k < kWords; ++k) {
    const size_t j = k % key.size();
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525U)) + key[j] +
                static_cast<uint32_t>(j);
    advance();
  }
  for (size_t k = 1; k < kWords; ++k) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941U)) -
                static_cast<uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000U;
}

uint32_t PythonRandom::next() {
  if (used_ == kWords) {
    constexpr size_t kShift = 397;
    for (size_t i = 0; i < kWords; ++i) {
      const uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % kWords] & 0x7FFFFFFFU);
      state_[i] = state_[(i + kShift) % kWords] ^ (y >> 1) ^ ((y & 1U) != 0 ? 0x9908B0DFU : 0U);
    }
    used_ = 0;
  }
  uint32_t y = state_[used_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9D2C5680U;
  y ^= (y << 15) & 0xEFC60000U;
  return y ^ (y >> 18);
}

size_t PythonRandom::below(size_t limit) {
  const auto bits = static_cast<int>(std::bit_width(limit));
  size_t value = limit;
  while (value >= limit) {
    value = next() >> (32 - bits);
  }
  return value;
}

void PythonRandom::shuffle(std::vector<size_t>& values) {
  for (size_t i = values.size(); i-- > 1;) {
    std::swap(values[i], values[below(i + 1)]);
  }
}

BatchSampler::BatchSampler(uint64_t seed, size_t samples, size_t batch)
    : random_(seed), order_(samples), batch_(batch) {
  std::iota(order_.begin(), order_.end(), 0);
  shuffle();
}

void BatchSampler::shuffle() {
  random_.shuffle(order_);
  used_ = 0;
}

std::vector<size_t> BatchSampler::next() {
  if (used_ + batch_ > order_.size()) {
    shuffle();
  }
  const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(used_);
  used_ += batch_;
  return {begin, begin + static_cast<std::ptrdiff_t>(batch_)};
}

void BatchSampler::skip_block(size_t batches) {
  for (size_t i = 0; i < batches; ++i) {
    next();
  }
  std::iota(order_.begin(), order_.end(), 0);
  shuffle();
}

}  // namespace oneshot
