#include "engine/evaluate/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/error.h"

namespace oneshot {
namespace {

/// The ids of the `count` largest logits, largest first.
std::vector<int32_t> largest(std::span<const float> logits, size_t count) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto before = [&](int32_t a, int32_t b) {
    const float first = logits[static_cast<size_t>(a)];
    const float second = logits[static_cast<size_t>(b)];
    return first > second || (first == second && a < b);
  };
  const auto end = ids.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(ids.begin(), end, ids.end(), before);
  ids.resize(count);
  return ids;
}

/// How many of the weights, largest first, reach that share of their sum.
size_t reaching(const std::vector<double>& weights, double share) {
  const double wanted = share * std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  size_t count = 0;
  while (count < weights.size() && (count == 0 || sum < wanted)) {
    sum += weights[count++];
  }
  return count;
}

}  // namespace

int32_t Sampler::next(std::span<const float> logits) {
  if (std::any_of(logits.begin(), logits.end(), [](float logit) { return std::isnan(logit); })) {
    throw Error(ErrorCode::Failed,
                "the model gives a logit that is not a number; are the weights damaged?");
  }
  if (options_.temperature == 0) {
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  return draw(logits);
}

int32_t Sampler::draw(std::span<const float> logits) {
  const size_t wanted = options_.top_k > 0 ? static_cast<size_t>(options_.top_k) : logits.size();
  const std::vector<int32_t> ids = largest(logits, std::min(wanted, logits.size()));
  const auto scaled = [&](int32_t id) {
    return static_cast<double>(logits[static_cast<size_t>(id)]) / options_.temperature;
  };
  std::vector<double> weights;  // not divided by their sum
  weights.reserve(ids.size());
  for (const int32_t id : ids) {
    weights.push_back(id == ids.front() ? 1 : std::exp(scaled(id) - scaled(ids.front())));
  }
  weights.resize(reaching(weights, options_.top_p));
  const double fraction = static_cast<double>(generator_() >> 11) * 0x1p-53;
  double left = fraction * std::accumulate(weights.begin(), weights.end(), 0.0);
  size_t picked = 0;
  while (picked + 1 < weights.size() && left >= weights[picked]) {
    left -= weights[picked++];
  }
  return ids[picked];
}

}  // namespace oneshot
