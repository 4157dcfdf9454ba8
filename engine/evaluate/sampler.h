// From the logits of a position to the token that follows.
#pragma once

#include <cstdint>
#include <random>
#include <span>

namespace oneshot {

struct SamplingOptions {
  double temperature = 0;  // logits are divided by it; 0: always the likeliest token
  int64_t top_k = 0;       // only that many of the likeliest tokens; 0: all
  double top_p = 1;        // of those only as many as reach this probability together; above 0
  uint64_t seed = 0;
};

/// Draws tokens. The same seed and logits give the same tokens on every machine: the numbers are
/// those of std::mt19937_64, of which the upper 53 bits are a fraction in [0, 1), and a fraction
/// picks from the tokens in the order of their probability, the lower id first where two are equal.
class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options) : options_(options), generator_(options.seed) {}

  /// logits: one for each token of the vocabulary, one or more. throws Failed when one is not a
  /// number.
  int32_t next(std::span<const float> logits);

 private:
  int32_t draw(std::span<const float> logits);

  SamplingOptions options_;
  std::mt19937_64 generator_;
};

}  // namespace oneshot
