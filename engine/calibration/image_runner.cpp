#include "engine/calibration/image_runner.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "engine/graph/parallel_forward.h"

namespace oneshot {
namespace {

constexpr uint64_t kAtOnceBytes = 256 << 20;  // of states of images that go through the whole tower

uint64_t values_of(const std::vector<int64_t>& shape) {
  return static_cast<uint64_t>(c10::multiply_integers(shape));
}

}  // namespace

size_t ImageRunner::walked_blocks() const {
  const auto& blocks = pass_.model.tower()->blocks;
  const bool wanted = std::any_of(
      blocks.begin(), blocks.end(), [this](const auto& block) { return pass_.wants(*block); });
  return wanted ? blocks.size() : 0;
}

uint64_t ImageRunner::passes() const {
  const uint64_t streams = is_tuned() && pass_.quantized_input ? 2 : 1;
  return pass_.images.samples.size() * pass_.model.tower()->blocks.size() * streams;
}

std::unique_ptr<SampleStates> ImageRunner::make(std::vector<std::vector<int64_t>> shapes,
                                                uint64_t memory) const {
  return std::make_unique<SampleStates>(std::move(shapes), pass_.state_dtype, memory, pass_.folder);
}

void ImageRunner::run(BlockRunner& blocks) {
  read_inputs();
  std::vector<std::vector<int64_t>> shapes;
  for (const TowerShapes& one : shapes_) {
    shapes.push_back(one.features);
  }
  const uint64_t memory = is_tuned() ? pass_.image_memory / 2 : pass_.image_memory;
  features_ = make(shapes, memory);
  if (walked_blocks() == 0) {
    see_all(blocks);
    return;
  }
  if (is_tuned()) {
    tuned_features_ = make(shapes, memory);
  }
  walk(blocks);
}

/// Sizes, and all tensors but the pixels.
void ImageRunner::read_inputs() {
  const size_t count = pass_.images.samples.size();
  inputs_.resize(count);
  shapes_.resize(count);
  parallel_forward({count, pass_.threads}, [&](size_t i) {
    inputs_[i] = pass_.images.load(pass_.images.samples[i]);
    shapes_[i] = pass_.model.tower()->shapes(inputs_[i]);
    inputs_[i].erase("pixel_values");
  });
}

/// So many samples at a time that what they are between blocks fits in memory; one for each thread
/// at least.
void ImageRunner::see_all(BlockRunner& blocks) {
  VisionTower& tower = *pass_.model.tower();
  const auto threads = static_cast<size_t>(pass_.threads);
  for (size_t first = 0; first < inputs_.size();) {
    uint64_t bytes = 0;
    std::vector<ImageInput> images;
    while (first + images.size() < inputs_.size() &&
           (images.size() < threads || bytes < kAtOnceBytes)) {
      const size_t sample = first + images.size();
      bytes +=
          values_of(shapes_[sample].states) * c10::elementSize(dtype_) * (tower.kept.size() + 2);
      images.push_back(pass_.images.load(pass_.images.samples[sample]));
    }
    const size_t count = images.size();
    const std::vector<SeenImages> seen =
        see_images(tower, pass_.weights, std::move(images), pass_.threads);
    for (size_t i = 0; i < count; ++i) {
      features_->set(first + i, seen[i].features.reshape(shapes_[first + i].features));
      features_->release(first + i);
    }
    first += count;
    blocks.count(count * tower.blocks.size());
  }
}

void ImageRunner::walk(BlockRunner& blocks) {
  VisionTower& tower = *pass_.model.tower();
  std::vector<std::vector<int64_t>> shapes;
  for (const TowerShapes& one : shapes_) {
    shapes.push_back(one.states);
  }
  states_ = make(shapes, 0);
  tuned_states_ = is_tuned() ? make(shapes, 0) : nullptr;
  run_first_block();
  blocks.count(passes() / tower.blocks.size());
  const size_t last = tower.blocks.size() - 1;
  for (size_t i = 0; i <= last; ++i) {
    SampleWalk walk;
    walk.streams = {states_.get(),
                    i < last ? states_.get() : features_.get(),
                    tuned_states_.get(),
                    i < last ? tuned_states_.get() : tuned_features_.get()};
    walk.context = [this, is_last = i == last](size_t sample, Stream stream) {
      return context(sample, stream, is_last);
    };
    walk.predicts = false;
    if (tower.is_unused(i) && !pass_.wants(*tower.blocks[i])) {
      blocks.count(passes() / tower.blocks.size());
    } else if (i > 0) {
      blocks.run(*tower.blocks[i], i - 1, walk, true);
    }
    if (std::find(tower.kept.begin(), tower.kept.end(), i) != tower.kept.end()) {
      kept_.push_back(make(shapes, 0));
      tuned_kept_.push_back(is_tuned() ? make(shapes, 0) : nullptr);
      for (size_t sample = 0; sample < shapes.size(); ++sample) {
        kept_.back()->set(sample, states_->get(sample));
        if (is_tuned()) {
          tuned_kept_.back()->set(sample, tuned_states_->get(sample));
        }
      }
    }
  }
  states_.reset();
  tuned_states_.reset();
  kept_.clear();
  tuned_kept_.clear();
}

/// Pixels → states; there are no Linears in it.
void ImageRunner::run_first_block() {
  VisionTower& tower = *pass_.model.tower();
  tower.blocks[0]->load(pass_.weights);
  parallel_forward({inputs_.size(), pass_.threads}, [&](size_t i) {
    TowerPass pass(tower, pass_.images.load(pass_.images.samples[i]), dtype_);
    pass.run(0);
    states_->set(i, pass.output());
    if (tuned_states_) {
      tuned_states_->set(i, pass.output());
    }
  });
  tower.blocks[0]->unload();
}

BlockContext ImageRunner::context(size_t sample, Stream stream, bool is_last) const {
  BlockContext context = pass_.model.tower()->context(inputs_[sample], dtype_);
  context.images = &inputs_[sample];
  if (is_last) {
    for (const auto& kept : stream == Stream::Tuned ? tuned_kept_ : kept_) {
      context.kept.push_back(kept->get(sample).to(dtype_));
    }
  }
  return context;
}

SeenImages ImageRunner::seen(size_t image_sample, Stream stream) const {
  const SampleStates* features =
      stream == Stream::Tuned && tuned_features_ ? tuned_features_.get() : features_.get();
  return {inputs_[image_sample],
          features != nullptr ? features->get(image_sample).to(dtype_) : at::Tensor()};
}

}  // namespace oneshot
