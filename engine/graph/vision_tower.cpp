#include "engine/graph/vision_tower.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/error.h"
#include "engine/graph/parallel_forward.h"

namespace oneshot {
namespace {

constexpr const char* kPixels = "pixel_values";

}  // namespace

TowerPass::TowerPass(const VisionTower& tower, ImageInput images, at::ScalarType dtype)
    : tower_(tower), images_(std::make_unique<ImageInput>(std::move(images))) {
  const auto pixels = images_->find(kPixels);
  if (pixels == images_->end()) {
    throw Error(ErrorCode::Failed, "the images of a text came without pixel_values");
  }
  hidden_ = pixels->second.to(dtype);
  context_ = tower.context(*images_, dtype);
  context_.images = images_.get();
  images_->erase(pixels);
}

void TowerPass::run(size_t block) {
  hidden_ = tower_.blocks.at(block)->forward(hidden_, context_);
  if (std::find(tower_.kept.begin(), tower_.kept.end(), block) != tower_.kept.end()) {
    context_.kept.push_back(hidden_);
  }
}

std::vector<SeenImages> see_images(VisionTower& tower,
                                   const Weights& weights,
                                   std::vector<ImageInput> images,
                                   int threads) {
  std::vector<TowerPass> passes;
  for (ImageInput& one : images) {
    passes.emplace_back(tower, std::move(one), weights.dtype);
  }
  for (size_t block = 0; block < tower.blocks.size(); ++block) {
    if (tower.is_unused(block)) {
      continue;
    }
    tower.blocks[block]->load(weights);
    parallel_forward({passes.size(), threads}, [&](size_t i) { passes[i].run(block); });
    tower.blocks[block]->unload();
  }
  std::vector<SeenImages> seen;
  for (TowerPass& pass : passes) {
    seen.push_back(std::move(pass).seen());
  }
  return seen;
}

}  // namespace oneshot
