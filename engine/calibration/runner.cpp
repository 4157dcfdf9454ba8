#include "engine/calibration/runner.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include <atomic>
#include <map>

#include "engine/calibration/sample_states.h"
#include "engine/error.h"
#include "engine/graph/parallel_forward.h"

namespace oneshot {
namespace {

/// A stream of states as the block that is tuned sees it, and what it should make of it.
class TuningSamples : public BlockSamples {
 public:
  using Contexts = std::map<int64_t, BlockContext>;

  TuningSamples(const SampleStates& inputs,
                std::function<at::Tensor(size_t)> target,
                const Contexts& contexts,
                at::ScalarType dtype)
      : inputs_(inputs), target_(std::move(target)), contexts_(contexts), dtype_(dtype) {}

  size_t size() const override { return inputs_.size(); }
  int64_t tokens(size_t sample) const override { return inputs_.get(sample).size(1); }
  at::Tensor input(size_t sample) const override { return inputs_.get(sample).to(dtype_); }
  at::Tensor target(size_t sample) const override { return target_(sample).to(dtype_); }
  const BlockContext& context(size_t sample) const override { return contexts_.at(tokens(sample)); }

 private:
  const SampleStates& inputs_;
  std::function<at::Tensor(size_t)> target_;
  const Contexts& contexts_;  // by number of tokens
  at::ScalarType dtype_;
};

class Runner {
 public:
  explicit Runner(const CalibrationPass& pass) : pass_(pass) {}

  void run() {
    const std::vector<Block*> blocks = wanted_blocks();
    if (blocks.empty()) {
      return;
    }
    const size_t passes = pass_.tune && pass_.quantized_input ? 2 : 1;
    total_ = blocks.size() * pass_.rows.size() * passes;
    embed();
    make_contexts();
    for (size_t i = 0; i < blocks.size(); ++i) {
      run_block(*blocks[i], i, i + 1 == blocks.size());
    }
  }

 private:
  /// All blocks up to the last one that is wanted.
  std::vector<Block*> wanted_blocks() const {
    std::vector<Block*> blocks;
    size_t count = 0;
    for (size_t i = 0; i < pass_.model.block_count(); ++i) {
      blocks.push_back(&pass_.model.block(i));
    }
    blocks.push_back(&pass_.model.tail());
    for (size_t i = 0; i < blocks.size(); ++i) {
      count = pass_.wants(*blocks[i]) ? i + 1 : count;
    }
    blocks.resize(count);
    return blocks;
  }

  static at::Tensor ids_of(const std::vector<int32_t>& row) {
    return at::tensor(at::ArrayRef<int32_t>(row), at::kInt).to(at::kLong).unsqueeze(0);
  }

  void make_states(const std::vector<int64_t>& tokens, const at::Tensor& first) {
    dtype_ = first.scalar_type();
    const uint64_t memory = pass_.tune ? pass_.state_memory / 2 : pass_.state_memory;
    const auto make = [&] {
      return std::make_unique<SampleStates>(
          tokens, first.size(-1), pass_.state_dtype, memory, pass_.folder);
    };
    states_ = make();
    if (pass_.tune) {
      inputs_ = make();
    }
  }

  void embed() {
    const c10::InferenceMode inference;
    std::vector<int64_t> tokens;
    for (const std::vector<int32_t>& row : pass_.rows) {
      tokens.push_back(static_cast<int64_t>(row.size()));
    }
    for (size_t i = 0; i < tokens.size(); ++i) {
      const at::Tensor hidden = pass_.model.embed({ids_of(pass_.rows[i])}, pass_.weights);
      if (!states_) {
        make_states(tokens, hidden);
      }
      states_->set(i, hidden);
      if (inputs_) {
        inputs_->set(i, hidden);
      }
    }
  }

  /// Not in inference mode: they go through passes that track gradients.
  void make_contexts() {
    for (const std::vector<int32_t>& row : pass_.rows) {
      const auto tokens = static_cast<int64_t>(row.size());
      if (!contexts_.contains(tokens)) {
        contexts_[tokens] = pass_.model.context({ids_of(row), {}}, dtype_);
      }
    }
  }

  void run_block(Block& block, size_t index, bool last) {
    block.load(pass_.weights);
    std::vector<std::unique_ptr<BlockWork>> works;
    if (pass_.wants(block)) {
      works = pass_.watch(block);
    }
    if (pass_.tune && !pass_.quantized_input) {
      copy_states();
    }
    const bool is_tail = &block == &pass_.model.tail();
    if (!is_tail || !works.empty()) {
      forward_all(block, *states_);
    }
    for (const std::unique_ptr<BlockWork>& one : works) {
      one->finish();
    }
    if (pass_.tune) {
      tune_block(block, index, last);
    }
    block.unload();
  }

  void tune_block(Block& block, size_t index, bool last) {
    const auto target = [&](size_t sample) {
      const bool is_tail = &block == &pass_.model.tail();
      const at::NoGradGuard no_gradients;
      const at::Tensor state = states_->get(sample);
      return is_tail ? block.forward(state.to(dtype_), contexts_.at(state.size(1))) : state;
    };
    if (pass_.wants(block)) {
      pass_.tune(block, index, TuningSamples(*inputs_, target, contexts_, dtype_));
    }
    if (pass_.quantized_input && !last) {
      forward_all(block, *inputs_);
    }
  }

  void copy_states() {
    const c10::InferenceMode inference;
    for (size_t i = 0; i < states_->size(); ++i) {
      inputs_->set(i, states_->get(i));
    }
  }

  /// All samples of a stream through the block.
  void forward_all(Block& block, SampleStates& states) {
    const uint64_t before = done_;
    std::atomic<uint64_t> samples{0};
    const auto tick = [&] {
      done_ = before + samples;
      return !pass_.progress || pass_.progress(done_, total_);
    };
    parallel_forward({states.size(), pass_.threads, tick}, [&](size_t i) {
      forward_sample(block, states, i);
      ++samples;
    });
    done_ = before + samples;
  }

  void forward_sample(Block& block, SampleStates& states, size_t sample) {
    const at::Tensor input = states.get(sample);
    const at::Tensor output = block.forward(input.to(dtype_), contexts_.at(input.size(1)));
    if (&block == &pass_.model.tail()) {
      return;  // nothing comes after it
    }
    if (!at::isfinite(output.sum()).item<bool>()) {
      throw Error(ErrorCode::Checkpoint,
                  block.name() + ": its output for calibration sample " +
                      std::to_string(sample + 1) +
                      " is not finite; is the checkpoint damaged, or its dtype too small?");
    }
    states.set(sample, output);
    states.release(sample);
  }

  const CalibrationPass& pass_;
  std::unique_ptr<SampleStates> states_;      // of the model as it is
  std::unique_ptr<SampleStates> inputs_;      // of what blocks are tuned on; null: none is
  std::map<int64_t, BlockContext> contexts_;  // by number of tokens
  at::ScalarType dtype_ = at::kFloat;         // that is computed in
  uint64_t done_ = 0, total_ = 0;
};

}  // namespace

void run_calibration(const CalibrationPass& pass) {
  Runner(pass).run();
}

}  // namespace oneshot
