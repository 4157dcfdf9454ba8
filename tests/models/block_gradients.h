// Gradients of a block against those of a reference.
#pragma once

#include <utility>

#include "engine/graph/block.h"
#include "tests/support/expected_tensors.h"

namespace oneshot {

/// Compares the gradients of the block's input and of its parameters ("grad.x", "grad.w.…", for
/// the output's gradient "grad.R"); how many parameters it compared. with_norms: those of norms
/// too; else they are constants, as in tuning.
inline size_t compare_block_gradients(Block& block,
                                      const BlockContext& context,
                                      const Weights& weights,
                                      const Expected& expected,
                                      bool with_norms = true) {
  block.load(weights);
  for (Module* module : block.modules()) {
    const bool is_norm = module->name().find("norm") != std::string::npos;
    for (at::Tensor* parameter : {&module->weight, &module->bias}) {
      if (parameter->defined()) {
        *parameter = parameter->clone().requires_grad_(with_norms || !is_norm);
      }
    }
  }
  const at::Tensor x = expected["grad.x_in"].clone().requires_grad_(true);
  const at::Tensor output = block.forward(x, context);
  (output * expected["grad.R"]).sum().backward();
  expect_close_gradient(x.grad(), expected["grad.x"], "x");
  size_t compared = 0;
  for (Module* module : block.modules()) {
    const std::string prefix = "grad.w." + module->name().substr(block.name().size() + 1);
    for (const auto& [suffix, parameter] :
         {std::pair{".weight", &module->weight}, {".bias", &module->bias}}) {
      if (parameter->defined() && parameter->requires_grad()) {
        // Softmax does not see what all keys have in common: that gradient is zero but for
        // rounding.
        const bool is_zero = (prefix + suffix).ends_with("k_proj.bias");
        expect_close_gradient(
            parameter->grad(), expected[prefix + suffix], prefix + suffix, is_zero ? 1 : 0);
        ++compared;
      }
    }
  }
  return compared;
}

}  // namespace oneshot
