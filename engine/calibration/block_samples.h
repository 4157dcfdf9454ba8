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
  /// Rows of the block's output: tokens, or patches of all images.
  virtual int64_t rows(size_t sample) const = 0;
  /// Those of them, from the first on, whose errors count: all of an image's, of a text's all but
  /// the last token's, which predicts nothing; one at least.
  virtual int64_t counted(size_t sample) const = 0;
  /// What goes into the block: [1, tokens, hidden size], or what a tower's block takes.
  virtual at::Tensor input(size_t sample) const = 0;
  /// What the block should make of it: the output of the model as it was, for its own input.
  virtual at::Tensor target(size_t sample) const = 0;
  virtual BlockContext context(size_t sample) const = 0;
};

}  // namespace oneshot
