// Qwen2-VL and Qwen2.5-VL against what Transformers computed (tests/data/models, float32).
// expected.safetensors: two texts, one with an image and a video, one with an image behind a row of
// padding. vision.safetensors: the blocks of the tower for both images, the gradients of its first
// layer, and a text with the video before the image.
#include <c10/core/InferenceMode.h>

#include "engine/graph/weight_check.h"
#include "engine/models/patch_grids.h"
#include "engine/models/registry.h"
#include "engine/models/rope.h"
#include "tests/models/block_gradients.h"
#include "tests/support/model_weights.h"

namespace oneshot {
namespace {

/// A text with its images, and what the reference made of it.
struct Sample {
  at::Tensor ids;
  ImageInput images;
  at::Tensor features, logits;
  std::vector<at::Tensor> blocks;
};

/// A block whose samples have a context each.
class SampleBlock : public Block {
 public:
  SampleBlock(Block& block, const std::vector<BlockContext>& contexts)
      : block_(block), contexts_(contexts) {}
  const std::string& name() const override { return block_.name(); }
  at::Tensor forward(const at::Tensor& hidden, const BlockContext&) override {
    std::vector<at::Tensor> outputs;
    for (size_t i = 0; i < contexts_.size(); ++i) {
      outputs.push_back(block_.forward(hidden.narrow(0, static_cast<int64_t>(i), 1), contexts_[i]));
    }
    return at::cat(outputs);
  }
  std::vector<Module*> modules() override { return block_.modules(); }

 private:
  Block& block_;
  const std::vector<BlockContext>& contexts_;
};

class QwenVlModel : public testing::TestWithParam<const char*> {
 protected:
  QwenVlModel()
      : folder_(std::filesystem::path(ONESHOT_TEST_DATA) / "models" / GetParam()),
        checkpoint_(folder_),
        expected_(folder_ / "expected.safetensors"),
        vision_(folder_ / "vision.safetensors"),
        graph_(make_model(checkpoint_.config())),
        weights_(weights_of(checkpoint_)) {}

  ImageInput both_images() const {
    return {{"pixel_values", expected_["in.pixel_values"]},
            {"image_grid_thw", expected_["in.image_grid_thw"]}};
  }

  ImageInput images_of(int64_t sample) const {
    const at::Tensor& pixels = expected_["in.pixel_values"];
    ImageInput images{
        {"pixel_values", sample == 0 ? pixels.narrow(0, 0, 16) : pixels.narrow(0, 16, 60)},
        {"image_grid_thw", expected_["in.image_grid_thw"].narrow(0, sample, 1)}};
    if (sample == 0) {
      images["pixel_values_videos"] = expected_["in.pixel_values_videos"];
      images["video_grid_thw"] = expected_["in.video_grid_thw"];
    }
    return images;
  }

  /// The text of a row, without its padding.
  Sample sample(int64_t row) const {
    const auto of = [&](const char* name) {
      return expected_[name].narrow(0, row, 1).narrow(1, row, 21 - row);
    };
    const at::Tensor& features = expected_["out.image_embeds"];
    return {.ids = of("in.input_ids"),
            .images = images_of(row),
            .features = row == 0
                            ? at::cat({features.narrow(0, 0, 4), expected_["out.video_embeds"]})
                            : features.narrow(0, 4, 15),
            .logits = of("out.logits"),
            .blocks = {of("out.block.0"), of("out.block.1")}};
  }

  /// The text whose video comes first.
  Sample video_first() const {
    Sample sample{.ids = vision_["in.input_ids"],
                  .images = images_of(0),
                  .features = {},
                  .logits = vision_["out.logits"],
                  .blocks = {}};
    if (vision_.has("in.second_per_grid_ts")) {
      sample.images["second_per_grid_ts"] = vision_["in.second_per_grid_ts"];
    }
    return sample;
  }

  SeenImages see(ImageInput images, at::ScalarType dtype = at::kFloat) {
    std::vector<ImageInput> one;
    one.push_back(std::move(images));
    return see_images(*graph_->tower(), weights_of(checkpoint_, dtype), std::move(one), 1)[0];
  }

  at::Tensor logits(ModelGraph& graph, const Sample& sample) {
    const SeenImages images = see(sample.images);
    return graph.logits(graph.hidden_states({sample.ids, {}, 0, &images}, weights_), weights_);
  }

  std::filesystem::path folder_;
  WrittenCheckpoint checkpoint_;
  Expected expected_, vision_;
  std::unique_ptr<ModelGraph> graph_;
  Weights weights_;
};

TEST_P(QwenVlModel, TheTowerGivesTheStatesOfTheReference) {
  const c10::InferenceMode inference;
  VisionTower& tower = *graph_->tower();
  const TowerShapes shapes = tower.shapes(both_images());
  TowerPass pass(tower, both_images(), at::kFloat);
  for (size_t i = 0; i < tower.blocks.size(); ++i) {
    tower.blocks[i]->load(weights_);
    pass.run(i);
    if (i + 1 < tower.blocks.size()) {
      EXPECT_EQ(pass.output().sizes(), shapes.states);
      if (i > 0) {
        const std::string state = "out.vision." + std::to_string(i - 1);
        expect_close(pass.output(), vision_[state], {}, state);
      }
    }
  }
  EXPECT_EQ(pass.output().sizes(), shapes.features);
  expect_close(pass.output()[0], expected_["out.image_embeds"], {}, "features");
}

TEST_P(QwenVlModel, VideosComeBehindImages) {
  const c10::InferenceMode inference;
  expect_close(see(images_of(0)).features[0], sample(0).features, {}, "image and video");
  ImageInput video = images_of(0);
  video["pixel_values"] = at::zeros({0, 1176});
  video.erase("image_grid_thw");
  expect_close(see(video).features[0], expected_["out.video_embeds"], {}, "a video alone");
}

TEST_P(QwenVlModel, BlocksAndLogitsAreThoseOfTheReference) {
  const c10::InferenceMode inference;
  for (int64_t row = 0; row < 2; ++row) {
    const Sample text = sample(row);
    const SeenImages images = see(text.images);
    size_t blocks = 0;
    const at::Tensor normed = graph_->hidden_states(
        {text.ids, {}, 0, &images}, weights_, [&](size_t i, const at::Tensor& output) {
          expect_close(output, text.blocks.at(i), {}, "block " + std::to_string(i));
          ++blocks;
        });
    EXPECT_EQ(blocks, 2U);
    expect_close(graph_->logits(normed, weights_), text.logits, {}, "logits");
  }
}

TEST_P(QwenVlModel, RowsStandWhereTheTextHasThemWhateverComesFirst) {
  const c10::InferenceMode inference;
  expect_close(logits(*graph_, video_first()), vision_["out.logits"], {}, "logits");
}

TEST_P(QwenVlModel, ATextReadPieceByPieceGivesTheSameLogits) {
  const c10::InferenceMode inference;
  for (int64_t row = 0; row < 2; ++row) {
    const Sample text = sample(row);
    const SeenImages images = see(text.images);
    const int64_t tokens = text.ids.size(1);
    TextCache cache;
    graph_->next_hidden_states(text.ids.narrow(1, 0, tokens - 3), weights_, cache, &images);
    for (const int64_t length : {2, 1}) {
      const at::Tensor piece = text.ids.narrow(1, cache.tokens, length);
      const at::Tensor expected = text.logits.narrow(1, cache.tokens, length);
      const at::Tensor found =
          graph_->logits(graph_->next_hidden_states(piece, weights_, cache, &images), weights_);
      expect_close(found, expected, {}, "the next tokens");
    }
  }
}

TEST_P(QwenVlModel, ATextWithoutImagesIsReadAsQwen2Does) {
  const c10::InferenceMode inference;
  const at::Tensor ids = at::arange(5, 12).unsqueeze(0);
  nlohmann::json config = checkpoint_.config();
  config["model_type"] = "qwen2";
  config.erase("architectures");
  const auto text = make_model(config);
  EXPECT_TRUE(graph_->hidden_states({ids}, weights_).equal(text->hidden_states({ids}, weights_)));
}

TEST_P(QwenVlModel, PositionsAreThoseOfTheReference) {
  const bool is_first = GetParam() == std::string("qwen2_vl");
  const PatchGridConfig grid{.merge = 2, .tokens_per_second = is_first ? 0 : 2};
  const auto positions = [&](const Sample& sample) {
    return grid_positions(sample.ids[0], read_grids(sample.images, grid), {300, 301});
  };
  for (int64_t row = 0; row < 2; ++row) {
    const at::Tensor expected = expected_["out.position_ids"].select(1, row);
    EXPECT_TRUE(positions(sample(row)).equal(expected.narrow(1, row, 21 - row)));
  }
  EXPECT_TRUE(positions(video_first()).equal(vision_["out.position_ids"].select(1, 0)));
}

// With the reference's positions: those of padding, which looks at all tokens, count here.
TEST_P(QwenVlModel, GradientsOfALayerOfTheTextAreThoseOfTheReference) {
  const RopeConfig rope = read_rope(checkpoint_.config(), 16, 10000);
  std::vector<BlockContext> contexts;
  for (int64_t row = 0; row < 2; ++row) {
    contexts.push_back(graph_->context({expected_["in.input_ids"].narrow(0, row, 1),
                                        expected_["in.attention_mask"].narrow(0, row, 1)},
                                       at::kFloat));
    const RopeTables tables = rope_tables(rope, expected_["out.position_ids"].select(1, row));
    contexts.back().cosine = tables.cosine;
    contexts.back().sine = tables.sine;
  }
  SampleBlock layer(graph_->block(0), contexts);
  EXPECT_EQ(compare_block_gradients(layer, {}, weights_, expected_), 12U);
}

TEST_P(QwenVlModel, GradientsOfALayerOfTheTowerAreThoseOfTheReference) {
  VisionTower& tower = *graph_->tower();
  const BlockContext context = tower.context(both_images(), at::kFloat);
  EXPECT_EQ(compare_block_gradients(*tower.blocks[1], context, weights_, vision_), 12U);
}

TEST_P(QwenVlModel, TheTowerComputesInBfloat16Too) {
  const c10::InferenceMode inference;
  const at::Tensor found = see(images_of(1), at::kBFloat16).features;
  const at::Tensor expected = sample(1).features;
  EXPECT_EQ(found.scalar_type(), at::kBFloat16);
  const double largest = expected.abs().max().item<double>();
  EXPECT_LT((found[0].to(at::kFloat) - expected).abs().max().item<double>(), 0.03 * largest);
}

TEST_P(QwenVlModel, AskedForRowsThatNoImageGivesItSaysSo) {
  const c10::InferenceMode inference;
  const Sample text = sample(0);
  EXPECT_THROW(graph_->hidden_states({text.ids}, weights_), Error);
  const SeenImages images = see(text.images);
  const at::Tensor without = at::full({1, 5}, 7, at::kLong);
  EXPECT_THROW(graph_->hidden_states({without, {}, 0, &images}, weights_), Error);
}

TEST_P(QwenVlModel, ItsTensorsAreThoseOfTheCheckpoint) {
  std::vector<NamedShape> tensors;
  for (const TensorSpec& spec : checkpoint_.tensors()) {
    tensors.push_back({spec.name, spec.shape});
  }
  EXPECT_NO_THROW(check_weights(*graph_, tensors));
}

TEST_P(QwenVlModel, NamesOfNewerTransformersAreRead) {
  const auto renamed = [](const std::string& name) {
    if (name.starts_with("visual.")) {
      return "model." + name;
    }
    return name.starts_with("model.") ? "model.language_model." + name.substr(6) : name;
  };
  std::vector<NamedShape> tensors;
  for (const TensorSpec& spec : checkpoint_.tensors()) {
    tensors.push_back({renamed(spec.name), spec.shape});
  }
  const nlohmann::json config = checkpoint_.config();
  const ModelSource source(config, [&](std::string_view prefix) {
    return std::any_of(tensors.begin(), tensors.end(), [&](const NamedShape& tensor) {
      return tensor.name.starts_with(prefix);
    });
  });
  EXPECT_NO_THROW(check_weights(*make_model(source), tensors));
}

TEST_P(QwenVlModel, ConfigsWithASectionForTheTextAreRead) {
  const c10::InferenceMode inference;
  nlohmann::json config = checkpoint_.config();
  nlohmann::json text;
  for (const char* key : {"vocab_size",
                          "hidden_size",
                          "intermediate_size",
                          "num_hidden_layers",
                          "num_attention_heads",
                          "num_key_value_heads",
                          "rms_norm_eps",
                          "max_position_embeddings"}) {
    text[key] = config[key];
    config.erase(key);
  }
  config.erase("rope_theta");
  config.erase("rope_scaling");
  text["rope_parameters"] = {
      {"rope_theta", 1e6}, {"rope_type", "default"}, {"mrope_section", {2, 3, 3}}};
  config["text_config"] = text;
  expect_close(logits(*make_model(config), sample(1)), sample(1).logits, {}, "logits");
}

TEST_P(QwenVlModel, ATiedHeadNeedsNoTensor) {
  nlohmann::json config = checkpoint_.config();
  const size_t untied = graph_->tensors().size();
  config["tie_word_embeddings"] = true;
  EXPECT_EQ(make_model(config)->tensors().size(), untied - 1);
}

INSTANTIATE_TEST_SUITE_P(Generations,
                         QwenVlModel,
                         testing::Values("qwen2_vl", "qwen2_5_vl"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace oneshot
