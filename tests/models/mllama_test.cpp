// Llama-3.2-Vision against what Transformers computed (tests/data/models/mllama, and what its
// README says of tests/data/mllama_reference; float32). The second of the two texts has an image
// that is not there, and a mask that the places in its ids do not give.
#include <c10/core/InferenceMode.h>

#include "engine/graph/weight_check.h"
#include "engine/models/registry.h"
#include "tests/models/block_gradients.h"
#include "tests/support/expect_error.h"
#include "tests/support/model_weights.h"

namespace oneshot {
namespace {

const std::filesystem::path kData = ONESHOT_TEST_DATA;
constexpr const char* kMask = "cross_attention_mask";

class MllamaModel : public testing::TestWithParam<int64_t> {
 protected:
  at::Tensor of_text(const std::string& name) const {
    return expected_[name].narrow(0, GetParam(), 1);
  }
  at::Tensor ids() const { return of_text("in.input_ids"); }

  ImageInput images() const {
    ImageInput images;
    for (const char* name : {"pixel_values", "aspect_ratio_ids", "aspect_ratio_mask", kMask}) {
      images[name] = of_text(std::string("in.") + name);
    }
    return images;
  }

  SeenImages see(ImageInput images, at::ScalarType dtype = at::kFloat) {
    return see_images(*graph_->tower(), weights_of(checkpoint_, dtype), {std::move(images)}, 1)[0];
  }

  at::Tensor logits(const SeenImages& images) {
    const TextBatch batch{ids(), {}, 0, &images};
    return graph_->logits(graph_->hidden_states(batch, weights_), weights_);
  }

  WrittenCheckpoint checkpoint_{kData / "models" / "mllama"};
  Expected expected_{kData / "models" / "mllama" / "expected.safetensors"};
  std::unique_ptr<ModelGraph> graph_ = make_model(checkpoint_.config());
  Weights weights_ = weights_of(checkpoint_);
};

TEST_P(MllamaModel, TheTowerGivesTheStatesOfTheReference) {
  const c10::InferenceMode inference;
  VisionTower& tower = *graph_->tower();
  ASSERT_EQ(tower.blocks.size(), 7U);
  const TowerShapes shapes = tower.shapes(images());
  TowerPass pass(tower, images(), at::kFloat);
  at::Tensor features;
  const HookHandle hook =
      graph_->find("multi_modal_projector")->add_hook([&](const HookCall& call) {
        features = call.input.clone();
      });
  for (size_t i = 0; i < tower.blocks.size(); ++i) {
    tower.blocks[i]->load(weights_);
    pass.run(i);
    if (i + 1 < tower.blocks.size()) {
      EXPECT_EQ(pass.output().sizes(), shapes.states);
    }
    const std::string state =
        i == 5 ? "out.vision.global.0" : "out.vision." + std::to_string(i - 1);
    if (i > 0 && expected_.has(state)) {
      expect_close(pass.output(), expected_[state].narrow(0, 2 * GetParam(), 2), {}, state);
    }
  }
  expect_close(features, of_text("out.vision").view({8, 5, 96}), {}, "features");
  expect_close(pass.output(), of_text("out.projector").view({8, 5, 64}), {}, "projector");
  EXPECT_EQ(pass.output().sizes(), shapes.features);
}

TEST_P(MllamaModel, BlocksAndLogitsAreThoseOfTheReference) {
  const c10::InferenceMode inference;
  const SeenImages seen = see(images());
  size_t blocks = 0;
  const at::Tensor normed = graph_->hidden_states(
      {ids(), {}, 0, &seen}, weights_, [&](size_t i, const at::Tensor& output) {
        const std::string name = "out.block." + std::to_string(i);
        expect_close(output, of_text(name), {}, name);
        ++blocks;
      });
  EXPECT_EQ(blocks, 3U);
  expect_close(graph_->logits(normed, weights_), of_text("out.logits"), {}, "logits");
}

TEST_P(MllamaModel, ATextReadPieceByPieceGivesTheSameLogits) {
  const c10::InferenceMode inference;
  SeenImages seen = see(images());
  seen.input[kMask] = seen.input[kMask].narrow(1, 0, 7);  // what follows is as the last of these
  TextCache cache;
  graph_->next_hidden_states(ids().narrow(1, 0, 7), weights_, cache, &seen);
  for (int64_t token = 7; token < 9; ++token) {
    const at::Tensor last =
        graph_->next_hidden_states(ids().narrow(1, token, 1), weights_, cache, &seen);
    expect_close(graph_->logits(last, weights_),
                 of_text("out.logits").narrow(1, token, 1),
                 {},
                 "token " + std::to_string(token));
  }
}

INSTANTIATE_TEST_SUITE_P(Texts, MllamaModel, testing::Values(0, 1));

class MllamaText : public MllamaModel {};  // the first one
INSTANTIATE_TEST_SUITE_P(First, MllamaText, testing::Values(0));

TEST_P(MllamaText, WhoSeesWhichTileFollowsFromPlacesAndAspectRatios) {
  const c10::InferenceMode inference;
  ImageInput without = images();
  without.erase(kMask);
  expect_close(logits(see(without)), of_text("out.logits"), {}, "without the mask");
  without.erase("aspect_ratio_mask");
  const SeenImages seen = see(without);
  expect_close(logits(seen), of_text("out.logits"), {}, "by the aspect ratios");
  TextCache cache;
  graph_->next_hidden_states(ids().narrow(1, 0, 6), weights_, cache, &seen);
  const at::Tensor last = graph_->next_hidden_states(ids().narrow(1, 6, 3), weights_, cache, &seen);
  expect_close(graph_->logits(last, weights_),
               of_text("out.logits").narrow(1, 6, 3),
               {},
               "the rest of the text");
}

TEST_P(MllamaText, ImagesSideBySideAreSeenAsFarAsTheLastOfThem) {
  const SeenImages seen{{{"aspect_ratio_ids", at::tensor({2, 6, 1}, at::kLong).view({1, 3})}},
                        at::zeros({12, 5, 64})};
  const at::Tensor text = at::tensor({5, 256, 256, 7, 256, 8}, at::kLong).unsqueeze(0);
  const BlockContext context = graph_->context({text, {}, 0, &seen}, at::kFloat);
  EXPECT_EQ(context.cross_states.sizes(), at::IntArrayRef({1, 60, 64}));
  // By get_cross_attention_token_mask of Transformers: [1, 4), [2, 4), [4, 6); 2, 4 and 1 tiles.
  const at::Tensor expected = at::tensor({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,  // sees no image
                                          1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                          1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0,  //
                                          1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0,  //
                                          0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,  //
                                          0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0});
  EXPECT_TRUE(context.cross_mask.eq(0).to(at::kInt).view({-1}).equal(expected.to(at::kInt)));
  EXPECT_TRUE(
      context.cross_rows.view({-1}).equal(at::tensor({0., 1., 1., 1., 1., 1.}, at::kFloat)));
}

TEST_P(MllamaText, ATextWithoutImagesPassesByTheCrossBlocks) {
  const c10::InferenceMode inference;
  const Expected reference(kData / "mllama_reference" / "text_only.safetensors");
  int calls = 0;
  std::vector<HookHandle> hooks;
  for (Module* module : graph_->block(1).modules()) {
    hooks.push_back(module->add_hook([&](const HookCall&) { ++calls; }));
  }
  const at::Tensor normed = graph_->hidden_states({reference["in.input_ids"]}, weights_);
  expect_close(graph_->logits(normed, weights_), reference["out.logits"], {}, "logits");
  EXPECT_EQ(calls, 0);
}

TEST_P(MllamaText, GradientsAreThoseOfTheReference) {
  ImageInput input = images();
  input.erase("pixel_values");
  const SeenImages seen{input, of_text("out.projector").view({8, 5, 64})};
  BlockContext of_tower;
  of_tower.images = &seen.input;
  VisionTower& tower = *graph_->tower();
  const auto compare = [&](Block& block, const BlockContext& context, const char* file) {
    return compare_block_gradients(
        block, context, weights_, Expected(kData / "mllama_reference" / file));
  };
  EXPECT_EQ(compare(*tower.blocks[2], of_tower, "vision_gradients.safetensors"), 12U);
  EXPECT_EQ(compare(*tower.blocks[5], of_tower, "global_gradients.safetensors"), 14U);
  EXPECT_EQ(compare(graph_->block(1),
                    graph_->context({ids(), {}, 0, &seen}, at::kFloat),
                    "cross_gradients.safetensors"),
            13U);
  const TextBatch without{at::zeros({2, 9}, at::kLong)};
  EXPECT_EQ(compare_block_gradients(
                graph_->block(2), graph_->context(without, at::kFloat), weights_, expected_),
            9U);
}

TEST_P(MllamaText, ItRunsInBfloat16) {
  const c10::InferenceMode inference;
  const SeenImages seen = see(images(), at::kBFloat16);
  const Weights weights = weights_of(checkpoint_, at::kBFloat16);
  const at::Tensor found =
      graph_->logits(graph_->hidden_states({ids(), {}, 0, &seen}, weights), weights);
  const at::Tensor expected = of_text("out.logits");
  // A step of bfloat16 is 2^-8 of a value; some twenty of them, one after the other.
  EXPECT_LT((found - expected).norm().item<double>(), 0.05 * expected.norm().item<double>());
}

TEST_P(MllamaText, ItsTensorsAreThoseOfTheCheckpointInOldAndNewNames) {
  std::vector<NamedShape> tensors;
  for (const TensorSpec& spec : checkpoint_.tensors()) {
    tensors.push_back({spec.name, spec.shape});
  }
  EXPECT_NO_THROW(check_weights(*graph_, tensors));
  EXPECT_EQ(graph_->tensors().size(), tensors.size());

  for (NamedShape& tensor : tensors) {
    const std::string old_text = "language_model.model.", head = "language_model.lm_head";
    if (tensor.name.starts_with(old_text)) {
      tensor.name = "model.language_model." + tensor.name.substr(old_text.size());
    } else if (tensor.name.starts_with(head)) {
      tensor.name = "lm_head" + tensor.name.substr(head.size());
    } else {
      tensor.name = "model." + tensor.name;
    }
  }
  const auto new_graph = make_model(ModelSource(checkpoint_.config(), [&](std::string_view prefix) {
    return std::any_of(tensors.begin(), tensors.end(), [prefix](const NamedShape& tensor) {
      return tensor.name.starts_with(prefix);
    });
  }));
  EXPECT_NO_THROW(check_weights(*new_graph, tensors));
}

TEST_P(MllamaText, ScalesMoveIntoTheQueriesOfACrossBlockOnly) {
  std::vector<std::string> into;
  for (const FoldablePair& pair : graph_->foldable()) {
    if (pair.from == "language_model.model.layers.1.input_layernorm") {
      into.insert(into.end(), pair.into.begin(), pair.into.end());
    }
  }
  EXPECT_EQ(into, std::vector<std::string>{"language_model.model.layers.1.cross_attn.q_proj"});
  EXPECT_EQ(graph_->foldable().size(), 3U * 3);
}

TEST_P(MllamaText, ImagesThatDoNotFitAreNamed) {
  const c10::InferenceMode inference;
  const auto tower_message = [&](const char* name, const at::Tensor& tensor) {
    ImageInput input = images();
    input[name] = tensor;
    return error_message(ErrorCode::Checkpoint, [&] { see(input); });
  };
  const std::string belong = "; do preprocessor_config.json and config.json belong together?";
  EXPECT_EQ(tower_message("aspect_ratio_ids", at::tensor({2, 9}, at::kLong)),
            "an image has the aspect ratio id 9, config.json has 8 ratios" + belong);
  EXPECT_EQ(tower_message("aspect_ratio_mask", at::ones({1, 2, 3}, at::kLong)),
            "aspect_ratio_mask has 6 tiles for images that have 8" + belong);
  EXPECT_EQ(tower_message("aspect_ratio_mask", at::zeros({1, 2, 4}, at::kLong)),
            "aspect_ratio_mask has an image without a tile");
  EXPECT_EQ(
      tower_message("pixel_values", at::zeros({1, 2, 4, 3, 14, 14})),
      "pixel_values of the shape [1, 2, 4, 3, 14, 14] came to a tower that reads [1, 2, 4, 3, "
      "28, 28]" +
          belong);

  SeenImages seen = see(images());
  const auto text_message = [&](const TextBatch& batch) {
    return error_message(ErrorCode::Checkpoint, [&] { graph_->context(batch, at::kFloat); });
  };
  EXPECT_EQ(text_message({ids()}), "a text has 2 places for images, and 0 images");
  seen.input[kMask] = at::ones({1, 9, 1, 4}, at::kLong);
  EXPECT_EQ(text_message({ids(), {}, 0, &seen}),
            "cross_attention_mask has the shape [1, 9, 1, 4], the images have 8 tiles");
  seen.input.erase(kMask);
  EXPECT_EQ(text_message({ids().narrow(1, 0, 5), {}, 0, &seen}),
            "a text has 1 places for images, and 2 images");
}

TEST_P(MllamaText, ImpossibleConfigsAreNamed) {
  const auto message = [&](const char* section, const char* key, const nlohmann::json& value) {
    nlohmann::json config = checkpoint_.config();
    config[section][key] = value;
    return error_message(ErrorCode::Checkpoint, [&] { make_model(config); });
  };
  const std::string vision = "config.json: vision_config: ", text = "config.json: text_config: ";
  EXPECT_EQ(message("vision_config", "attention_heads", 3),
            vision +
                "impossible sizes: hidden_size, intermediate_size, num_hidden_layers, "
                "num_global_layers, attention_heads, image_size, patch_size and max_num_tiles "
                "must fit");
  EXPECT_EQ(message("vision_config", "intermediate_layers_indices", {2, 1}),
            vision + "intermediate_layers_indices must grow and stay within the 3 layers");
  EXPECT_EQ(message("vision_config", "intermediate_layers_indices", {1, 4}),
            vision + "intermediate_layers_indices must grow and stay within the 3 layers");
  EXPECT_EQ(message("vision_config", "intermediate_layers_indices", nlohmann::json::array()),
            vision + "intermediate_layers_indices must not be empty");
  EXPECT_EQ(message("vision_config", "intermediate_layers_indices", 1),
            vision + "'intermediate_layers_indices' must be a list of whole numbers, found 1");
  EXPECT_EQ(message("vision_config", "vision_output_dim", 64),
            vision + "vision_output_dim is 64, the last state and the intermediate ones have 96");
  EXPECT_EQ(message("vision_config", "supported_aspect_ratios", {{1, 5}}),
            vision +
                "supported_aspect_ratios must be a list of pairs of at most 4 tiles, found "
                "[[1,5]]");
  EXPECT_EQ(message("vision_config", "supported_aspect_ratios", "all"),
            vision +
                "supported_aspect_ratios must be a list of pairs of at most 4 tiles, found "
                "\"all\"");
  EXPECT_EQ(message("text_config", "cross_attention_layers", {1, 3}),
            text + "cross_attention_layers has the layer 3, the model has 3 layers");
  nlohmann::json config = checkpoint_.config();
  config["vision_config"].erase("supported_aspect_ratios");
  EXPECT_NO_THROW(make_model(config));
  config["vision_config"]["max_num_tiles"] = 2;
  EXPECT_EQ(error_message(ErrorCode::Checkpoint, [&] { make_model(config); }),
            vision + "max_num_tiles must be 4 where supported_aspect_ratios is not given");
  config = checkpoint_.config();
  config["text_config"]["tie_word_embeddings"] = true;
  EXPECT_EQ(error_message(ErrorCode::Unsupported, [&] { make_model(config); }),
            text +
                "tie_word_embeddings is not supported for mllama, whose embedding has more rows "
                "than its head");
}

}  // namespace
}  // namespace oneshot
