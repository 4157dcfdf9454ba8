// Tensors that a reference computed, from the safetensors file of a model folder.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/tensor_bytes.h"

namespace oneshot {

inline constexpr double kTolerance = 1e-4;
// Gradients reach into the hundreds, where a float32 has steps of 3e-5: a share of the largest one.
inline constexpr double kGradientTolerance = 5e-6;

/// The tensors of a safetensors file of a model folder.
class Expected {
 public:
  explicit Expected(const std::filesystem::path& file) : file_(file) {
    const SafetensorsHeader header = read_safetensors_header(file_);
    for (const TensorInfo& tensor : header.tensors) {
      std::vector<std::byte> bytes;
      file_.read(header.data_begin + tensor.begin, tensor.bytes, bytes);
      tensors_[tensor.name] = tensor_of(bytes.data(), tensor.dtype, tensor.shape).clone();
    }
  }
  const at::Tensor& operator[](const std::string& name) const { return tensors_.at(name); }
  bool has(const std::string& name) const { return tensors_.contains(name); }
  const std::map<std::string, at::Tensor>& all() const { return tensors_; }

 private:
  InputFile file_;
  std::map<std::string, at::Tensor> tensors_;
};

inline void expect_close(const at::Tensor& found,
                         const at::Tensor& expected,
                         const at::Tensor& seen,
                         const std::string& what) {
  ASSERT_EQ(found.sizes(), expected.sizes()) << what;
  at::Tensor difference = (found - expected).abs();
  if (seen.defined() && difference.dim() == 3) {  // what is computed at padding means nothing
    difference = difference.index({seen.to(at::kBool)});
  }
  EXPECT_LT(difference.max().item<double>(), kTolerance) << what;
}

inline void expect_close_gradient(const at::Tensor& found,
                                  const at::Tensor& expected,
                                  const std::string& what,
                                  double at_least = 0) {
  ASSERT_EQ(found.sizes(), expected.sizes()) << what;
  const double largest = std::max(at_least, expected.abs().max().item<double>());
  EXPECT_LT((found - expected).abs().max().item<double>(), kGradientTolerance * largest)
      << what << ", " << largest;
}

}  // namespace oneshot
