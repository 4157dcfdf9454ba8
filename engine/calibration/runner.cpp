#include "engine/calibration/runner.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <atomic>
#include <map>

#include "engine/calibration/sample_states.h"
#include "engine/error.h"
#include "engine/graph/parallel_forward.h"

namespace oneshot {
namespace {

class Runner {
 public:
  explicit Runner(const CalibrationPass& pass) : pass_(pass) {}

  void run() {
    const std::vector<Block*> blocks = wanted_blocks();
    if (blocks.empty()) {
      return;
    }
    total_ = blocks.size() * pass_.rows.size();
    embed();
    for (Block* block : blocks) {
      run_block(*block);
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

  void embed() {
    const c10::InferenceMode inference;
    std::vector<int64_t> tokens;
    for (const std::vector<int32_t>& row : pass_.rows) {
      tokens.push_back(static_cast<int64_t>(row.size()));
    }
    for (size_t i = 0; i < tokens.size(); ++i) {
      const at::Tensor hidden = pass_.model.embed(ids_of(pass_.rows[i]), pass_.weights);
      if (!states_) {
        dtype_ = hidden.scalar_type();
        states_ = std::make_unique<SampleStates>(
            tokens, hidden.size(-1), pass_.state_dtype, pass_.state_memory, pass_.folder);
      }
      states_->set(i, hidden);
      if (!contexts_.contains(tokens[i])) {
        contexts_[tokens[i]] = pass_.model.context({ids_of(pass_.rows[i]), {}}, dtype_);
      }
    }
  }

  void run_block(Block& block) {
    block.load(pass_.weights);
    std::vector<std::unique_ptr<BlockWork>> works;
    if (pass_.wants(block)) {
      works = pass_.watch(block);
    }
    const uint64_t before = done_;
    std::atomic<uint64_t> samples{0};
    const auto tick = [&] {
      done_ = before + samples;
      return !pass_.progress || pass_.progress(done_, total_);
    };
    parallel_forward({states_->size(), pass_.threads, tick}, [&](size_t i) {
      run_sample(block, i);
      ++samples;
    });
    done_ = before + samples;
    for (const std::unique_ptr<BlockWork>& one : works) {
      one->finish();
    }
    block.unload();
  }

  void run_sample(Block& block, size_t sample) {
    const at::Tensor input = states_->get(sample);
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
    states_->set(sample, output);
    states_->release(sample);
  }

  const CalibrationPass& pass_;
  std::unique_ptr<SampleStates> states_;
  std::map<int64_t, BlockContext> contexts_;  // by number of tokens
  at::ScalarType dtype_ = at::kFloat;         // that is computed in
  uint64_t done_ = 0, total_ = 0;
};

}  // namespace

void run_calibration(const CalibrationPass& pass) {
  Runner(pass).run();
}

}  // namespace oneshot
