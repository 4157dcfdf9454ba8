// What a format writes, kept in memory and read back: both sides of it without files.
#pragma once

#include <ATen/ATen.h>

#include <map>

#include "engine/format.h"
#include "engine/tensor_bytes.h"

namespace oneshot {

class MemoryTensors : public OutputTensors, public TensorSource {
 public:
  /// Makes room for what the format announces.
  explicit MemoryTensors(const std::vector<TensorSpec>& specs) {
    for (const TensorSpec& spec : specs) {
      tensors_[spec.name] = at::zeros(spec.shape, scalar_type(spec.dtype));
    }
  }

  void put(const std::string& name, const at::Tensor& piece, int64_t row, int64_t column) override {
    at::Tensor target = tensors_.at(name).narrow(0, row, piece.size(0));
    if (piece.dim() == 2) {
      target = target.narrow(1, column, piece.size(1));
    }
    target.copy_(piece);
  }

  std::optional<TensorSpec> spec(const std::string& name) const override {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) {
      return std::nullopt;
    }
    return TensorSpec{
        name, container_dtype(found->second.scalar_type()), found->second.sizes().vec()};
  }

  at::Tensor read(const std::string& name) const override { return tensors_.at(name); }

  std::map<std::string, at::Tensor>& tensors() { return tensors_; }

 private:
  std::map<std::string, at::Tensor> tensors_;
};

}  // namespace oneshot
