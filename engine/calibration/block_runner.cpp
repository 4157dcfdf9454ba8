#include "engine/calibration/block_runner.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <atomic>

#include "engine/error.h"
#include "engine/graph/parallel_forward.h"

namespace oneshot {
namespace {

/// A stream of states as the block that is tuned sees it, and what it should make of it.
class TuningSamples : public BlockSamples {
 public:
  TuningSamples(const SampleWalk& walk,
                std::function<at::Tensor(size_t)> target,
                at::ScalarType dtype)
      : walk_(walk), target_(std::move(target)), dtype_(dtype) {}

  size_t size() const override { return inputs().size(); }
  int64_t rows(size_t sample) const override {
    const at::Tensor shaped =
        walk_.streams.to != nullptr ? walk_.streams.to->get(sample) : inputs().get(sample);
    return shaped.numel() / shaped.size(-1);
  }
  int64_t counted(size_t sample) const override {
    return walk_.predicts ? std::max<int64_t>(rows(sample) - 1, 1) : rows(sample);
  }
  at::Tensor input(size_t sample) const override { return inputs().get(sample).to(dtype_); }
  at::Tensor target(size_t sample) const override { return target_(sample).to(dtype_); }
  BlockContext context(size_t sample) const override {
    return walk_.context(sample, Stream::Tuned);
  }

 private:
  const SampleStates& inputs() const { return *walk_.streams.tuned_from; }

  const SampleWalk& walk_;
  std::function<at::Tensor(size_t)> target_;
  at::ScalarType dtype_;
};

void copy_states(const SampleStates& from, SampleStates& to) {
  const c10::InferenceMode inference;
  for (size_t i = 0; i < from.size(); ++i) {
    to.set(i, from.get(i));
  }
}

}  // namespace

void BlockRunner::run(Block& block, size_t index, const SampleWalk& walk, bool goes_on) {
  block.load(pass_.weights);
  std::vector<std::unique_ptr<BlockWork>> works;
  if (pass_.wants(block)) {
    works = pass_.watch(block);
  }
  const StateStreams& streams = walk.streams;
  const bool tuned = streams.tuned_from != nullptr;
  if (tuned && !pass_.quantized_input) {
    copy_states(*streams.from, *streams.tuned_from);
  }
  if (streams.to != nullptr || !works.empty()) {
    forward_all(block, walk, Stream::Original, *streams.from, streams.to);
  }
  for (const std::unique_ptr<BlockWork>& one : works) {
    one->finish();
  }
  if (tuned) {
    tune(block, index, walk, goes_on);
  }
  block.unload();
}

void BlockRunner::tune(Block& block, size_t index, const SampleWalk& walk, bool goes_on) {
  const StateStreams& streams = walk.streams;
  const auto target = [&](size_t sample) {
    if (streams.to != nullptr) {
      return streams.to->get(sample);
    }
    const at::NoGradGuard no_gradients;
    return block.forward(streams.from->get(sample).to(dtype_),
                         walk.context(sample, Stream::Original));
  };
  if (pass_.wants(block)) {
    pass_.tune(block, index, TuningSamples(walk, target, dtype_));
  }
  if (pass_.quantized_input && goes_on) {
    forward_all(block, walk, Stream::Tuned, *streams.tuned_from, streams.tuned_to);
  } else if (streams.tuned_to != nullptr && streams.tuned_to != streams.tuned_from) {
    copy_states(*streams.to, *streams.tuned_to);
  }
}

void BlockRunner::forward_all(Block& block,
                              const SampleWalk& walk,
                              Stream stream,
                              const SampleStates& from,
                              SampleStates* to) {
  const uint64_t before = done_;
  std::atomic<uint64_t> samples{0};
  const auto tick = [&] {
    done_ = before + samples;
    return !pass_.progress || pass_.progress(done_, total_);
  };
  parallel_forward({from.size(), pass_.threads, tick}, [&](size_t i) {
    const at::Tensor output = block.forward(from.get(i).to(dtype_), walk.context(i, stream));
    if (to != nullptr) {
      if (!at::isfinite(output.sum()).item<bool>()) {
        throw Error(ErrorCode::Checkpoint,
                    block.name() + ": its output for calibration sample " + std::to_string(i + 1) +
                        " is not finite; is the checkpoint damaged, or its dtype too small?");
      }
      to->set(i, output);
      to->release(i);
    }
    ++samples;
  });
  done_ = before + samples;
}

void BlockRunner::count(uint64_t passes) {
  done_ += passes;
  if (pass_.progress && !pass_.progress(done_, total_)) {
    throw Error(ErrorCode::Interrupted, "interrupted");
  }
}

}  // namespace oneshot
