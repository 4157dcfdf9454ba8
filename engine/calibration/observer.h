// From the activations that pass to their range, the way a scheme's observer asks for.
#pragma once

#include <memory>

#include "engine/quant/scales.h"

namespace oneshot {

/// Watches one activation tensor over all samples. Thread safe: samples may come in any order, from
/// any thread; what is found depends on the samples and their numbers alone.
class ActivationObserver {
 public:
  virtual ~ActivationObserver() = default;

  /// Once for each sample: its values, padding left out.
  virtual void see(size_t sample, const at::Tensor& values) = 0;

  /// The range after all samples, 0-d in the dtype of the values. Undefined tensors: none was seen.
  virtual ValueRange range() const = 0;
};

/// By args.observer, as a config spells it:
///   static_minmax  smallest and largest value of all samples
///   minmax         moving average of the samples' extremes, in the dtype of the values: new = 0.99
///                  old + 0.01 seen, the first one taken whole
///   mse            moving average of the ranges that lose least: of each sample's extremes, shrunk
///                  by 0 … 19 percent, the one with the smallest sum of |rounded − x|^2.4, until 5
///                  steps in turn bring nothing
///   percentile     what leaves out the 0.01 percent of values that are farthest from zero
/// Source: observers of llm-compressor 0.14; percentile is ours, exact on values in bfloat16.
/// args: static or local. samples: how many will be seen.
std::unique_ptr<ActivationObserver> make_observer(const QuantArgs& args, size_t samples);

}  // namespace oneshot
