// What a format writes to and reads from: the tensors of a checkpoint, without its files.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "engine/checkpoint/output_layout.h"

namespace oneshot {

/// Where a format puts what it encoded: the tensors that it announced.
class OutputTensors {
 public:
  virtual ~OutputTensors() = default;

  /// Stores `piece` at [row, column] of the tensor of that full name. A piece of a tensor of one
  /// dimension is a row. Contiguous; the dtype has the width of the announced one.
  virtual void put(const std::string& name,
                   const at::Tensor& piece,
                   int64_t row,
                   int64_t column) = 0;
};

/// Tensors of a checkpoint that is read back.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  /// Dtype and shape of the tensor of that full name; nothing when there is none.
  virtual std::optional<TensorSpec> spec(const std::string& name) const = 0;

  /// Its values. Valid as long as the source. Called for names that have a spec.
  virtual at::Tensor read(const std::string& name) const = 0;
};

}  // namespace oneshot
