// Phi-3.5-vision against CLIP and Phi-3 of Transformers with the published layout of crops
// (tests/data/models, float32).
#include <c10/core/InferenceMode.h>

#include <cmath>

#include "engine/graph/weight_check.h"
#include "engine/models/registry.h"
#include "tests/support/expect_error.h"
#include "tests/support/expected_tensors.h"
#include "tests/support/model_weights.h"

namespace oneshot {
namespace {

using nlohmann::json;

class Phi3VModel : public testing::Test {
 protected:
  Phi3VModel()
      : folder_(std::filesystem::path(ONESHOT_TEST_DATA) / "models" / "phi3_v"),
        checkpoint_(folder_),
        expected_(folder_ / "expected.safetensors"),
        graph_(make_model(checkpoint_.config())),
        weights_(weights_of(checkpoint_)) {}

  ImageInput images() const {
    return {{"pixel_values", expected_["in.pixel_values"]},
            {"image_sizes", expected_["in.image_sizes"]}};
  }

  std::filesystem::path folder_;
  WrittenCheckpoint checkpoint_;
  Expected expected_;
  std::unique_ptr<ModelGraph> graph_;
  Weights weights_;
};

TEST_F(Phi3VModel, TheTowerGivesTheRowsOfTheReference) {
  const c10::InferenceMode inference;
  VisionTower& tower = *graph_->tower();
  const TowerShapes shapes = tower.shapes(images());
  TowerPass pass(tower, images(), at::kFloat);
  for (size_t i = 0; i < tower.blocks.size(); ++i) {
    tower.blocks[i]->load(weights_);
    pass.run(i);
    tower.blocks[i]->unload();
    EXPECT_EQ(pass.output().sizes(), i + 1 < tower.blocks.size() ? shapes.states : shapes.features);
  }
  EXPECT_EQ(tower.blocks.size(), 1U + 3 + 1);
  EXPECT_TRUE(tower.is_unused(3));  // the hidden state −2 of three layers is enough
  EXPECT_FALSE(tower.is_unused(2) || tower.is_unused(4));
  expect_close(pass.output(), expected_["out.img_embeds"], {}, "rows");
}

TEST_F(Phi3VModel, LogitsAreThoseOfTheReferenceAtOnceAndPieceByPiece) {
  const c10::InferenceMode inference;
  const SeenImages seen = see_images(*graph_->tower(), weights_, {images()}, 1)[0];
  const at::Tensor ids = expected_["in.input_ids"], expected = expected_["out.logits"];
  const at::Tensor whole = graph_->hidden_states({ids, {}, 0, &seen}, weights_);
  expect_close(graph_->logits(whole, weights_), expected, {}, "logits");

  const int64_t tokens = ids.size(1);
  TextCache cache;
  graph_->next_hidden_states(ids.narrow(1, 0, tokens - 2), weights_, cache, &seen);
  const at::Tensor last =
      graph_->next_hidden_states(ids.narrow(1, tokens - 2, 2), weights_, cache, &seen);
  expect_close(
      graph_->logits(last, weights_), expected.narrow(1, tokens - 2, 2), {}, "last logits");
}

// A model of texts alone is Phi-3, which text_models_test.cpp compares with Transformers.
TEST_F(Phi3VModel, ATextWithoutImagesIsReadAsPhi3Does) {
  const c10::InferenceMode inference;
  json config = checkpoint_.config();
  config["model_type"] = "phi3";
  config.erase("architectures");
  const auto phi3 = make_model(config);
  const at::Tensor ids = at::arange(3, 20, at::kLong).unsqueeze(0);
  EXPECT_TRUE(graph_->hidden_states({ids}, weights_).equal(phi3->hidden_states({ids}, weights_)));
}

TEST_F(Phi3VModel, ItsTensorsAreThoseOfTheCheckpoint) {
  std::vector<NamedShape> tensors;
  for (const TensorSpec& spec : checkpoint_.tensors()) {
    tensors.push_back({spec.name, spec.shape});
  }
  EXPECT_NO_THROW(check_weights(*graph_, tensors));
}

TEST_F(Phi3VModel, TheEmbeddingMayBeStoredBesideTheTower) {
  const std::string stored = "model.vision_embed_tokens.wte.weight";
  const auto graph = make_model(ModelSource(
      checkpoint_.config(), [&](std::string_view prefix) { return stored.starts_with(prefix); }));
  EXPECT_EQ(graph->tensors().front().name, stored);
  EXPECT_EQ(graph_->tensors().front().name, "model.embed_tokens.weight");
}

// ---- the map that crops are laid out as -------------------------------------------------------

constexpr int64_t kCrops = 5;  // of each image, the whole view first
constexpr float kLineEnd = 7, kBetween = 9;

/// What the patch (y, x) of a crop holds in its first channel.
float patch_value(int64_t crop, int64_t y, int64_t x) {
  return static_cast<float>(1000 * (crop + 1) + 24 * y + x);
}

/// Linears that give the first channel of each of four patches, and else zeros: values this large
/// pass GELU unchanged.
Weights picking_weights() {
  const auto load = [](const std::string& name) -> at::Tensor {
    if (name.ends_with("sub_GN")) {
      return at::full({1, 1, 1, 128}, kLineEnd);
    }
    if (name.ends_with("glb_GN")) {
      return at::full({1, 1, 128}, kBetween);
    }
    if (name.ends_with("bias")) {
      return at::zeros({64});
    }
    if (name.ends_with("2.weight")) {
      return at::eye(64);
    }
    at::Tensor weight = at::zeros({64, 128});
    for (int64_t patch = 0; patch < 4; ++patch) {
      weight[patch][32 * patch] = 1;
    }
    return weight;
  };
  return {[](const std::string&) { return true; }, load};
}

/// Rows of one image whose crops begin at `first`, as the published code orders them.
void add_rows(int64_t first, int64_t rows, int64_t columns, std::vector<float>& expected) {
  const auto add_map = [&](int64_t height, int64_t width, auto crop_of) {
    for (int64_t row = 0; row < 12 * height; ++row) {
      for (int64_t column = 0; column < 12 * width; ++column) {
        const int64_t crop = first + crop_of(row / 12, column / 12);
        const int64_t y = 2 * (row % 12), x = 2 * (column % 12);
        for (const auto& [down, right] : {std::pair{0, 0}, {0, 1}, {1, 0}, {1, 1}}) {
          expected.push_back(patch_value(crop, y + down, x + right));
        }
      }
      expected.insert(expected.end(), 4, kLineEnd);
    }
  };
  add_map(rows, columns, [&](int64_t row, int64_t column) { return 1 + row * columns + column; });
  expected.insert(expected.end(), 4, kBetween);
  add_map(1, 1, [](int64_t, int64_t) { return 0; });
}

TEST_F(Phi3VModel, CropsOfTwoImagesAreLaidOutAsTheirMaps) {
  const c10::InferenceMode inference;
  std::vector<float> values;
  for (int64_t crop = 0; crop < 2 * kCrops; ++crop) {
    values.push_back(0);  // of the class token
    for (int64_t patch = 0; patch < 24 * 24; ++patch) {
      values.push_back(patch_value(crop, patch / 24, patch % 24));
    }
  }
  at::Tensor states = at::zeros({2 * kCrops, 577, 32});
  states.select(2, 0).copy_(at::tensor(values).view({2 * kCrops, 577}));
  const ImageInput images{{"image_sizes", at::tensor({336, 3 * 336, 2 * 336, 2 * 336})}};
  BlockContext context;
  context.images = &images;
  context.kept = {states};
  Block& projector = *graph_->tower()->blocks.back();
  projector.load(picking_weights());
  const at::Tensor found = projector.forward({}, context);

  std::vector<float> expected;
  add_rows(0, 1, 3, expected);
  add_rows(kCrops, 2, 2, expected);
  ASSERT_EQ(found.size(0), 601 + 757);  // the second is what serving engines count for four crops
  expect_close(found.narrow(1, 0, 4).contiguous(), at::tensor(expected).view({-1, 4}), {}, "map");
}

TEST_F(Phi3VModel, SizesThatDoNotGoWithTheCropsAreNamed) {
  const auto message = [this](const at::Tensor& sizes) {
    const ImageInput images{{"pixel_values", expected_["in.pixel_values"]}, {"image_sizes", sizes}};
    return error_message(ErrorCode::Checkpoint, [&] { graph_->tower()->shapes(images); });
  };
  EXPECT_EQ(message(at::tensor({672, 672})),
            "image_sizes: an image of 672 × 672 pixels does not go with 4 crops of 336");
  EXPECT_EQ(message(at::tensor({336, 700})),
            "image_sizes: an image of 336 × 700 pixels does not go with 4 crops of 336");
  EXPECT_EQ(message(at::zeros({0, 2}, at::kLong)), "image_sizes: 0 images do not go with 4 crops");
}

TEST_F(Phi3VModel, ConfigsThatCannotBeRunAreNamed) {
  const auto message = [this](ErrorCode code, const char* pointer, const json& value) {
    json config = checkpoint_.config();
    config[json::json_pointer(pointer)] = value;
    return error_message(code, [&] { make_model(config); });
  };
  EXPECT_EQ(message(ErrorCode::Unsupported, "/embd_layer/hd_transform_order", "glb_sub"),
            "config.json: hd_transform_order 'glb_sub' is not supported, only sub_glb");
  EXPECT_EQ(message(ErrorCode::Unsupported, "/embd_layer/use_hd_transform", false),
            "config.json: models with 'use_hd_transform': false are not supported");
  EXPECT_EQ(message(ErrorCode::Unsupported, "/img_processor/type_feature", "cls_patch"),
            "config.json: type_feature 'cls_patch' is not supported, only patch");
  EXPECT_EQ(message(ErrorCode::Checkpoint, "/img_processor/layer_idx", -5),
            "config.json: the vision feature layer -5 is none of the tower's 3");
  EXPECT_EQ(message(ErrorCode::Checkpoint, "/img_processor/image_dim_out", 48),
            "config.json: img_processor: image_dim_out 48 is not the tower's hidden size, 32");
  EXPECT_EQ(message(ErrorCode::Checkpoint, "/img_processor/_clip_num_attention_heads", 3),
            "the vision tower's config has impossible sizes: hidden_size, intermediate_size, "
            "num_hidden_layers, num_attention_heads, image_size and patch_size must fit");
}

}  // namespace
}  // namespace oneshot
