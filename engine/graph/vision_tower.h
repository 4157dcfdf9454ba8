// The part of a model that makes rows for a text out of images: blocks in a row, as the decoder has
// them, with all that comes before and behind as a first and a last one.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/graph/block.h"
#include "engine/graph/text_cache.h"

namespace oneshot {

/// Sizes of what comes out of a tower's blocks for the images of one text.
struct TowerShapes {
  std::vector<int64_t> states;    // of every block but the last
  std::vector<int64_t> features;  // of the last
};

/// The first block takes "pixel_values" in the place of hidden states, the last one gives the
/// features; those between have the shape of their input.
struct VisionTower {
  std::vector<std::unique_ptr<Block>> blocks;  // three or more
  std::vector<size_t> kept;  // blocks whose outputs the last one finds in its context, ascending
  size_t unused = 0;  // blocks before the last one whose outputs nobody reads: CLIP's last layer
  std::function<BlockContext(const ImageInput& images, at::ScalarType dtype)> context;
  std::function<TowerShapes(const ImageInput& images)> shapes;
  int64_t most_rows = 0;  // of the features of one image; 0: as many as fit the text

  /// True when the features do not depend on the block.
  bool is_unused(size_t block) const {
    return block + 1 < blocks.size() && block + 1 + unused >= blocks.size();
  }
};

/// The images of one text on their way through a tower.
class TowerPass {
 public:
  /// images: of which the pixel values are let go with the first block.
  TowerPass(const VisionTower& tower, ImageInput images, at::ScalarType dtype);
  TowerPass(TowerPass&&) = default;

  /// Blocks from 0 on, in order, each loaded.
  void run(size_t block);
  /// What came out of the block that ran last.
  const at::Tensor& output() const { return hidden_; }
  SeenImages seen() && { return {std::move(*images_), std::move(hidden_)}; }

 private:
  const VisionTower& tower_;
  std::unique_ptr<ImageInput> images_;  // where the context finds them
  BlockContext context_;
  at::Tensor hidden_;
};

/// The images of many texts through a tower, of which a block is loaded at a time, on so many
/// threads. Without gradients.
std::vector<SeenImages> see_images(VisionTower& tower,
                                   const Weights& weights,
                                   std::vector<ImageInput> images,
                                   int threads);

}  // namespace oneshot
