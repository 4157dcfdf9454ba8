#include "modifiers/sign_round/block_inputs.h"

#include <ATen/ATen.h>

#include "engine/graph/parallel_forward.h"

namespace oneshot {

std::vector<at::Tensor> mean_squares(const TunableBlock& block) {
  const size_t samples = block.samples.size();
  std::vector<std::vector<at::Tensor>> sums(block.modules.size(), std::vector<at::Tensor>(samples));
  std::vector<HookHandle> hooks;
  for (size_t i = 0; i < block.modules.size(); ++i) {
    hooks.push_back(block.modules[i].module.add_hook([&sums, i](const HookCall& call) {
      const at::Tensor x = call.input.reshape({-1, call.input.size(-1)}).to(at::kFloat);
      sums[i][call.sample] = x.square().sum(0);
    }));
  }
  parallel_forward({samples, block.threads, {}}, [&](size_t sample) {
    block.block.forward(block.samples.input(sample), block.samples.context(sample));
  });
  int64_t tokens = 0;
  for (size_t sample = 0; sample < samples; ++sample) {
    tokens += block.samples.rows(sample);
  }
  std::vector<at::Tensor> means;
  for (size_t i = 0; i < sums.size(); ++i) {
    at::Tensor total = at::zeros({block.modules[i].planned.columns}, at::kFloat);
    for (const at::Tensor& one : sums[i]) {  // in the order of the samples
      if (one.defined()) {
        total.add_(one);
      }
    }
    means.push_back(total.div_(static_cast<double>(tokens)));
  }
  return means;
}

}  // namespace oneshot
