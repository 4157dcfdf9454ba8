// What the images of calibration samples look like to the text's part of a model: all of them
// through the vision tower, whose blocks may be watched and tuned on the way.
#pragma once

#include <memory>
#include <vector>

#include "engine/calibration/block_runner.h"

namespace oneshot {

class ImageRunner {
 public:
  /// Refers to what it is made from. dtype: that is computed in.
  ImageRunner(const CalibrationPass& pass, at::ScalarType dtype) : pass_(pass), dtype_(dtype) {}

  /// Blocks of the tower that are walked one by one: all up to the last one, when one is wanted.
  size_t walked_blocks() const;
  /// Forward passes of single samples that run() makes.
  uint64_t passes() const;

  void run(BlockRunner& blocks);

  /// The images of a sample, by its number among those that have some. Views of what this object
  /// holds.
  SeenImages seen(size_t image_sample, Stream stream) const;

  /// Lets go of what they look like, which nobody asks for again.
  void forget_features() { features_.reset(), tuned_features_.reset(); }

 private:
  bool is_tuned() const { return pass_.tune && walked_blocks() > 0; }
  std::unique_ptr<SampleStates> make(std::vector<std::vector<int64_t>> shapes,
                                     uint64_t memory) const;
  void read_inputs();
  void see_all(BlockRunner& blocks);
  void walk(BlockRunner& blocks);
  void run_first_block();
  BlockContext context(size_t sample, Stream stream, bool is_last) const;

  const CalibrationPass& pass_;
  at::ScalarType dtype_;
  std::vector<ImageInput> inputs_;                                // all but pixel_values
  std::vector<TowerShapes> shapes_;                               // of each
  std::unique_ptr<SampleStates> features_, tuned_features_;       // the latter null: as the former
  std::unique_ptr<SampleStates> states_, tuned_states_;           // between blocks
  std::vector<std::unique_ptr<SampleStates>> kept_, tuned_kept_;  // for the last block
};

}  // namespace oneshot
