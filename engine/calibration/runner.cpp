#include "engine/calibration/runner.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <map>
#include <optional>

#include "engine/calibration/block_runner.h"
#include "engine/calibration/image_runner.h"

namespace oneshot {
namespace {

at::Tensor ids_of(const std::vector<int32_t>& row) {
  return at::tensor(at::ArrayRef<int32_t>(row), at::kInt).to(at::kLong).unsqueeze(0);
}

class Runner {
 public:
  explicit Runner(const CalibrationPass& pass)
      : pass_(pass), dtype_(pass.weights.dtype), image_number_(pass.rows.size()) {
    for (size_t i = 0; i < pass_.images.samples.size(); ++i) {
      image_number_[pass_.images.samples[i]] = i;
    }
    if (!pass_.images.samples.empty()) {
      images_.emplace(pass_, dtype_);
    }
  }

  void run() {
    const std::vector<Block*> blocks = wanted_blocks();
    const size_t walked = images_ ? images_->walked_blocks() : 0;
    if (blocks.empty() && walked == 0) {
      return;
    }
    const size_t streams = pass_.tune && pass_.quantized_input ? 2 : 1;
    const uint64_t total =
        blocks.size() * pass_.rows.size() * streams + (images_ ? images_->passes() : 0);
    BlockRunner runner(pass_, dtype_, total);
    if (images_) {
      images_->run(runner);
    }
    if (blocks.empty()) {
      return;
    }
    embed();
    for (size_t i = 0; i < blocks.size(); ++i) {
      const bool is_tail = blocks[i] == &pass_.model.tail();
      walk_.streams.to = is_tail ? nullptr : states_.get();
      walk_.streams.tuned_to = is_tail ? nullptr : inputs_.get();
      runner.run(*blocks[i], walked + i, walk_, i + 1 < blocks.size());
    }
  }

 private:
  /// All blocks of the decoder, and the tail, up to the last one that is wanted.
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

  void make_states() {
    std::vector<std::vector<int64_t>> shapes;
    for (const std::vector<int32_t>& row : pass_.rows) {
      shapes.push_back({1, static_cast<int64_t>(row.size()), pass_.model.sizes().hidden});
    }
    const uint64_t memory = pass_.tune ? pass_.state_memory / 2 : pass_.state_memory;
    states_ = std::make_unique<SampleStates>(shapes, pass_.state_dtype, memory, pass_.folder);
    if (pass_.tune) {
      inputs_ = std::make_unique<SampleStates>(shapes, pass_.state_dtype, memory, pass_.folder);
    }
    walk_.streams = {states_.get(), states_.get(), inputs_.get(), inputs_.get()};
    walk_.context = [this](size_t sample, Stream stream) { return context(sample, stream); };
  }

  void embed() {
    make_states();
    {
      const c10::InferenceMode inference;
      for (size_t i = 0; i < pass_.rows.size(); ++i) {
        states_->set(i, embedded(i, Stream::Original));
        if (inputs_) {
          inputs_->set(i, image_number_[i] ? embedded(i, Stream::Tuned) : states_->get(i));
        }
      }
    }
    if (images_ && pass_.model.features_are_rows()) {
      images_->forget_features();
    }
    for (size_t i = 0; i < pass_.rows.size(); ++i) {  // outside of inference mode: they go through
      const size_t tokens = pass_.rows[i].size();     // passes that track gradients
      if (!image_number_[i] && !contexts_.contains(tokens)) {
        contexts_[tokens] = pass_.model.context({ids_of(pass_.rows[i])}, dtype_);
      }
    }
  }

  std::optional<SeenImages> seen(size_t sample, Stream stream) const {
    return image_number_[sample] ? std::optional(images_->seen(*image_number_[sample], stream))
                                 : std::nullopt;
  }

  at::Tensor embedded(size_t sample, Stream stream) const {
    const std::optional<SeenImages> images = seen(sample, stream);
    return pass_.model.embed({ids_of(pass_.rows[sample]), {}, 0, images ? &*images : nullptr},
                             pass_.weights);
  }

  /// Of texts by their length, of texts with images by themselves.
  BlockContext context(size_t sample, Stream stream) const {
    const std::vector<int32_t>& row = pass_.rows[sample];
    if (!image_number_[sample]) {
      return contexts_.at(row.size());
    }
    const std::optional<SeenImages> images = seen(sample, stream);
    return pass_.model.context({ids_of(row), {}, 0, &*images}, dtype_);
  }

  const CalibrationPass& pass_;
  at::ScalarType dtype_;
  std::vector<std::optional<size_t>> image_number_;  // of a sample among those with images
  std::optional<ImageRunner> images_;
  std::unique_ptr<SampleStates> states_;     // of the model as it is
  std::unique_ptr<SampleStates> inputs_;     // of what blocks are tuned on; null: none is
  std::map<size_t, BlockContext> contexts_;  // by number of tokens
  SampleWalk walk_;
};

}  // namespace

void run_calibration(const CalibrationPass& pass) {
  Runner(pass).run();
}

}  // namespace oneshot
