// A Linear of a block that is tuned: its parameters, what they make of its weight now, and the
// codes of the lowest loss so far.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/graph/layers.h"
#include "engine/kernels/tuning.h"
#include "engine/modifier.h"

namespace oneshot {

class TunedLinearState {
 public:
  /// throws Checkpoint when a value of the weight is NaN or infinite.
  explicit TunedLinearState(const TunableModule& module);
  ~TunedLinearState();
  TunedLinearState(TunedLinearState&& other) noexcept;
  TunedLinearState& operator=(TunedLinearState&&) = delete;

  int64_t rows() const { return tuned_.weight.size(0); }
  int64_t columns() const { return tuned_.weight.size(1); }
  int bits() const { return scheme_.bits; }

  /// From here on passes that track gradients compute with the rounded values, and quantize the
  /// inputs where the scheme does, through which gradients pass straight.
  void attach(std::function<void(const at::Tensor& input, const at::Tensor& gradient)> collect);

  /// Whether `search` is for its scheme: symmetric integers.
  bool is_searched() const { return scheme_.codes == kernels::TunedCodes::Symmetric; }

  /// Makes room for what `search` finds, and for gradients that are added.
  void prepare_search();
  void prepare_accumulation();

  /// Makes room for the values that `round` gives.
  void prepare_rounding();
  /// Lays the rounded values out for the products of the next passes, where that gains.
  void pack();

  // Of a range of rows; different ones may be worked on by different threads.
  void search(int64_t first, int64_t count, const at::Tensor& importance);
  void round(int64_t first, int64_t count);
  void step(int64_t first, const at::Tensor& gradient, double rate, double range_rate);

  /// Float32 [out, in], where gradients of several passes are added.
  const at::Tensor& accumulated() const { return accumulated_; }

  /// The codes of the last `round` are the best ones; the next one goes elsewhere.
  void keep_as_best();
  /// Parameters as they were at first.
  void reset();

  QuantizedWeight best_weight() const;

 private:
  Linear* linear_;  // null: moved from
  Scheme planned_;
  kernels::TunedScheme scheme_;
  kernels::TunedWeight tuned_;
  kernels::RoundedWeight now_, best_;  // of the best only what is kept is there
  at::Tensor accumulated_;
  std::unique_ptr<TunedPass> pass_ = std::make_unique<TunedPass>();
};

/// All modules of the block.
std::vector<TunedLinearState> tunable_linears(const TunableBlock& block);

}  // namespace oneshot
