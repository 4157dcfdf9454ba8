// LLaVA-1.5 in both layouts against what Transformers computed (tests/data/models, float32).
#include <c10/core/InferenceMode.h>

#include "engine/graph/weight_check.h"
#include "engine/models/registry.h"
#include "tests/models/block_gradients.h"
#include "tests/support/model_weights.h"

namespace oneshot {
namespace {

class LlavaModel : public testing::TestWithParam<const char*> {
 protected:
  LlavaModel()
      : folder_(std::filesystem::path(ONESHOT_TEST_DATA) / "models" / GetParam()),
        checkpoint_(folder_),
        expected_(folder_ / "expected.safetensors"),
        graph_(make_model(checkpoint_.config())),
        weights_(weights_of(checkpoint_)) {}

  /// Image places of the original layout are below zero, the reference's are one id.
  at::Tensor ids() const {
    const at::Tensor ids = expected_["in.input_ids"];
    return GetParam() == std::string("llava_original") ? ids.masked_fill(ids.eq(300), -200) : ids;
  }

  SeenImages see() {
    return see_images(
        *graph_->tower(), weights_, {{{"pixel_values", expected_["in.pixel_values"]}}}, 1)[0];
  }

  std::filesystem::path folder_;
  WrittenCheckpoint checkpoint_;
  Expected expected_;
  std::unique_ptr<ModelGraph> graph_;
  Weights weights_;
};

TEST_P(LlavaModel, TheTowerGivesTheStatesOfTheReference) {
  const c10::InferenceMode inference;
  VisionTower& tower = *graph_->tower();
  const ImageInput images{{"pixel_values", expected_["in.pixel_values"]}};
  const TowerShapes shapes = tower.shapes(images);
  TowerPass pass(tower, images, at::kFloat);
  for (size_t i = 0; i < tower.blocks.size(); ++i) {
    tower.blocks[i]->load(weights_);
    pass.run(i);
    if (i > 0 && i + 1 < tower.blocks.size()) {
      const std::string state = "out.vision." + std::to_string(i - 1);
      expect_close(pass.output(), expected_[state], {}, state);
      EXPECT_EQ(pass.output().sizes(), shapes.states);
    }
  }
  expect_close(pass.output(), expected_["out.projector"], {}, "projector");
  EXPECT_EQ(pass.output().sizes(), shapes.features);
}

TEST_P(LlavaModel, BlocksAndLogitsAreThoseOfTheReference) {
  const c10::InferenceMode inference;
  const SeenImages images = see();
  size_t blocks = 0;
  const at::Tensor normed = graph_->hidden_states(
      {ids(), {}, 0, &images}, weights_, [&](size_t i, const at::Tensor& output) {
        const std::string name = "out.block." + std::to_string(i);
        expect_close(output, expected_[name], {}, name);
        ++blocks;
      });
  EXPECT_EQ(blocks, graph_->block_count());
  expect_close(graph_->logits(normed, weights_), expected_["out.logits"], {}, "logits");
}

TEST_P(LlavaModel, ATextReadPieceByPieceGivesTheSameLogits) {
  const c10::InferenceMode inference;
  const SeenImages images = see();
  const int64_t tokens = ids().size(1);
  TextCache cache;
  graph_->next_hidden_states(ids().narrow(1, 0, tokens - 2), weights_, cache, &images);
  const at::Tensor last =
      graph_->next_hidden_states(ids().narrow(1, tokens - 2, 2), weights_, cache, &images);
  expect_close(graph_->logits(last, weights_),
               expected_["out.logits"].narrow(1, tokens - 2, 2),
               {},
               "logits");
}

TEST_P(LlavaModel, ALayersGradientsAreThoseOfTheReference) {
  Block& layer = *graph_->tower()->blocks[1];  // "vision layer 0"
  EXPECT_EQ(compare_block_gradients(layer, {}, weights_, expected_), 16U);
}

TEST_P(LlavaModel, AskedForRowsThatNoImageGivesItSaysSo) {
  const c10::InferenceMode inference;
  EXPECT_THROW(graph_->hidden_states({ids()}, weights_), Error);
  const SeenImages images = see();
  const at::Tensor without = at::full({1, 5}, 7, at::kLong);
  EXPECT_THROW(graph_->hidden_states({without, {}, 0, &images}, weights_), Error);
}

TEST_P(LlavaModel, ItsTensorsAreThoseOfTheCheckpoint) {
  std::vector<NamedShape> tensors;
  for (const TensorSpec& spec : checkpoint_.tensors()) {
    tensors.push_back({spec.name, spec.shape});
  }
  EXPECT_NO_THROW(check_weights(*graph_, tensors));
}

INSTANTIATE_TEST_SUITE_P(Layouts,
                         LlavaModel,
                         testing::Values("llava_hf", "llava_hf_multilayer_full", "llava_original"),
                         [](const auto& param_info) { return std::string(param_info.param); });

}  // namespace
}  // namespace oneshot
