// The calibration samples as a block that is tuned sees them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/graph/block.h"

namespace oneshot {

/// For many threads at once. Everything in the dtype that is computed in.
class BlockSamples {
 public:
  virtual ~BlockSamples() = default;

  virtual size_t size() const = 0;
  virtual int64_t tokens(size_t sample) const = 0;
  /// What goes into the block: [1, tokens, hidden size].
  virtual at::Tensor input(size_t sample) const = 0;
  /// What the block should make of it: the output of the model as it was, for its own input.
  virtual at::Tensor target(size_t sample) const = 0;
  virtual const BlockContext& context(size_t sample) const = 0;
};

}  // namespace oneshot
