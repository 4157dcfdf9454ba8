// CogVLM2 against what its own code computed (tests/data/models, float32).
#include <c10/core/InferenceMode.h>

#include "engine/graph/weight_check.h"
#include "engine/models/registry.h"
#include "tests/support/expect_error.h"
#include "tests/support/expected_tensors.h"
#include "tests/support/model_weights.h"

namespace oneshot {
namespace {

using nlohmann::json;

/// A sample of the fixture, without its padding.
class CogModel : public testing::TestWithParam<int64_t> {
 protected:
  CogModel()
      : folder_(std::filesystem::path(ONESHOT_TEST_DATA) / "models" / "cogvlm2"),
        checkpoint_(folder_),
        expected_(folder_ / "expected.safetensors"),
        graph_(make_model(checkpoint_.config())),
        weights_(weights_of(checkpoint_)),
        tokens_(expected_["in.attention_mask"][GetParam()].sum().item<int64_t>()) {}

  /// The sample's part of a tensor, [1, …].
  at::Tensor own(const std::string& name) const { return expected_[name].narrow(0, GetParam(), 1); }
  at::Tensor own_tokens(const std::string& name) const { return own(name).narrow(1, 0, tokens_); }

  at::Tensor types() const { return own_tokens("in.token_type_ids"); }
  at::Tensor ids() const { return own_tokens("in.input_ids"); }
  at::Tensor marked_ids() const { return ids().masked_fill(types().eq(1), -1); }

  SeenImages see(bool typed) {
    ImageInput input{{"pixel_values", own("in.images")}};
    if (typed) {
      input["token_type_ids"] = types();
    }
    return see_images(*graph_->tower(), weights_, {input}, 1)[0];
  }

  /// Positions, blocks and logits of a text.
  void compare(const TextBatch& batch);

  std::filesystem::path folder_;
  WrittenCheckpoint checkpoint_;
  Expected expected_;
  std::unique_ptr<ModelGraph> graph_;
  Weights weights_;
  int64_t tokens_;
};

TEST_P(CogModel, TheTowerGivesTheRowsOfTheReference) {
  const c10::InferenceMode inference;
  VisionTower& tower = *graph_->tower();
  const ImageInput images{{"pixel_values", own("in.images")}};
  const TowerShapes shapes = tower.shapes(images);
  TowerPass pass(tower, images, at::kFloat);
  for (size_t i = 0; i < tower.blocks.size(); ++i) {
    tower.blocks[i]->load(weights_);
    pass.run(i);
    tower.blocks[i]->unload();
    EXPECT_EQ(pass.output().sizes(), i + 1 < tower.blocks.size() ? shapes.states : shapes.features);
  }
  expect_close(pass.output(), own("out.vision"), {}, "rows");
}

void CogModel::compare(const TextBatch& batch) {
  EXPECT_TRUE(graph_->context(batch, at::kFloat).positions.equal(own_tokens("out.position_ids")));
  size_t blocks = 0;
  const at::Tensor normed =
      graph_->hidden_states(batch, weights_, [&](size_t i, const at::Tensor& output) {
        const std::string name = "out.block." + std::to_string(i);
        expect_close(output, own_tokens(name), {}, name);
        ++blocks;
      });
  EXPECT_EQ(blocks, graph_->block_count());
  expect_close(graph_->logits(normed, weights_), own_tokens("out.logits"), {}, "logits");
}

TEST_P(CogModel, PlacesBelowZeroGiveTheLogitsOfTheReference) {
  const c10::InferenceMode inference;
  const SeenImages images = see(/*typed=*/false);
  compare({marked_ids(), {}, 0, &images});
}

TEST_P(CogModel, TokenTypesThatAreGivenAreFollowed) {
  const c10::InferenceMode inference;
  const SeenImages images = see(/*typed=*/true);
  compare({ids(), {}, 0, &images});
}

TEST_P(CogModel, ATextReadPieceByPieceGivesTheSameLogits) {
  const c10::InferenceMode inference;
  for (const bool typed : {false, true}) {
    const SeenImages images = see(typed);
    const at::Tensor ids = typed ? this->ids() : marked_ids();
    const int64_t first = types().nonzero().select(1, 1).max().item<int64_t>() + 1;
    TextCache cache;
    for (int64_t begin = 0, end = first; begin < tokens_; begin = end, end = tokens_) {
      const at::Tensor found =
          graph_->next_hidden_states(ids.narrow(1, begin, end - begin), weights_, cache, &images);
      expect_close(graph_->logits(found, weights_),
                   own_tokens("out.logits").narrow(1, begin, end - begin),
                   {},
                   "from token " + std::to_string(begin));
    }
  }
}

TEST_P(CogModel, VisionExpertsComputeAllRowsOfAnImageButTheLast) {
  const c10::InferenceMode inference;
  const SeenImages images = see(/*typed=*/false);
  for (const char* part : {"self_attn.%_expert_query_key_value",
                           "self_attn.%_expert_dense",
                           "mlp.%_mlp.gate_proj",
                           "mlp.%_mlp.down_proj"}) {
    const auto rows_of = [&](const std::string& expert) {
      std::string name = std::string("model.layers.1.") + part;
      name.replace(name.find('%'), 1, expert);
      int64_t rows = 0;
      Module* module = graph_->find(name);
      EXPECT_NE(dynamic_cast<Linear*>(module), nullptr) << name;
      const HookHandle hook =
          module->add_hook([&](const HookCall& call) { rows += call.input.size(1); });
      graph_->hidden_states({marked_ids(), {}, 0, &images}, weights_);
      return rows;
    };
    EXPECT_EQ(rows_of("vision"), 5) << part;
    EXPECT_EQ(rows_of("language"), tokens_ - 5) << part;
  }
}

// By the formula of a derivative: f(x + εd) − f(x − εd) over 2ε.
TEST_P(CogModel, GradientsGoBackThroughBothExperts) {
  const SeenImages images = see(/*typed=*/false);
  const BlockContext context = graph_->context({marked_ids(), {}, 0, &images}, at::kFloat);
  Block& block = graph_->block(1);
  block.load(weights_);
  const at::Tensor x = own_tokens("out.block.0").clone().requires_grad_(true);
  const at::Tensor weighing = at::arange(x.numel()).to(at::kFloat).sin().view(x.sizes());
  const auto loss = [&](const at::Tensor& input) {
    return (block.forward(input, context) * weighing).to(at::kDouble).sum();
  };
  std::vector<at::Tensor*> places;
  for (Module* module : block.modules()) {
    if (dynamic_cast<Linear*>(module) != nullptr) {
      module->weight = module->weight.clone().requires_grad_(true);
      places.push_back(&module->weight);
    }
  }
  EXPECT_EQ(places.size(), 10U);
  loss(x).backward();
  const auto check = [&](const at::Tensor& gradient, auto moved_loss, const at::Tensor& at) {
    const at::Tensor along = at::arange(at.numel()).to(at::kFloat).cos().view(at.sizes());
    const at::Tensor step = 1e-3 * along;
    const c10::InferenceMode inference;
    const double measured =
        (moved_loss(at.detach() + step) - moved_loss(at.detach() - step)).template item<double>() /
        2e-3;
    const double computed = (gradient * along).sum().template item<double>();
    EXPECT_NEAR(measured, computed, 0.01 * std::max(1.0, std::abs(measured)));
  };
  check(x.grad(), loss, x);
  for (at::Tensor* place : places) {
    const at::Tensor weight = *place;
    check(
        weight.grad(),
        [&](const at::Tensor& moved) {
          *place = moved;
          const at::Tensor moved_loss = loss(x.detach());
          *place = weight;
          return moved_loss;
        },
        weight);
  }
}

INSTANTIATE_TEST_SUITE_P(Samples, CogModel, testing::Values(0, 1));

/// The weights of the language experts, under the names of a Llama.
Weights as_llama(const Weights& weights) {
  const auto load = [weights](const std::string& name) {
    const std::string attention = "self_attn.", mlp = "mlp.";
    std::string own = name;
    if (const size_t at = name.find(mlp); at != std::string::npos) {
      own.insert(at + mlp.size(), "language_mlp.");
    }
    const size_t at = name.find(attention);
    if (at == std::string::npos) {
      return weights.load(own);
    }
    own = name.substr(0, at + attention.size()) + "language_expert_";
    if (name.find("o_proj") != std::string::npos) {
      return weights.load(own + "dense.weight");
    }
    const at::Tensor fused = weights.load(own + "query_key_value.weight");  // 64 + 32 + 32 rows
    const std::map<std::string, std::pair<int64_t, int64_t>> rows{
        {"q", {0, 64}}, {"k", {64, 32}}, {"v", {96, 32}}};
    const auto [begin, count] = rows.at(name.substr(at + attention.size(), 1));
    return fused.narrow(0, begin, count);
  };
  return {weights.has, load};
}

class CogText : public CogModel {};

// What it computes then is a Llama, which text_models_test.cpp compares with Transformers.
TEST_P(CogText, ATextWithoutImagesIsReadByLanguageExpertsAlone) {
  const c10::InferenceMode inference;
  json config = checkpoint_.config();
  config["architectures"] = {"LlamaForCausalLM"};
  config["model_type"] = "llama";
  config["num_key_value_heads"] = 2;
  config["rope_theta"] = 500000.0;
  const auto llama = make_model(config);
  const at::Tensor ids = at::arange(3, 23, at::kLong).view({2, 10});
  const at::Tensor mask = at::ones({2, 10}, at::kLong);
  mask[1].narrow(0, 8, 2).zero_();
  size_t calls = 0;
  const HookHandle hook =
      graph_->find("model.layers.0.mlp.vision_mlp.up_proj")->add_hook([&](const HookCall&) {
        ++calls;
      });
  expect_close(graph_->hidden_states({ids, mask}, weights_),
               llama->hidden_states({ids, mask}, as_llama(weights_)),
               mask,
               "normed");
  EXPECT_EQ(calls, 0U);
}

TEST_P(CogText, ItsNormsRoundOnce) {
  const c10::InferenceMode inference;
  Module& norm = *graph_->find("model.norm");
  norm.load(weights_of(checkpoint_, at::kBFloat16));
  norm.weight = at::linspace(0.5, 2, 64).to(at::kBFloat16);
  const at::Tensor x = (at::arange(64 * 64).to(at::kFloat).sin() * 3).view({64, 64});
  const at::Tensor wide = x.to(at::kBFloat16).to(at::kFloat);
  const at::Tensor scaled = wide / (wide.square().mean(-1, true) + 1e-5).sqrt();
  const at::Tensor once = (scaled * norm.weight.to(at::kFloat)).to(at::kBFloat16);
  const at::Tensor twice = scaled.to(at::kBFloat16) * norm.weight;
  const auto found = norm.forward(x.to(at::kBFloat16));
  EXPECT_EQ(found.scalar_type(), at::kBFloat16);
  EXPECT_LT(found.ne(once).sum().item<int64_t>(), 10);
  EXPECT_GT(found.ne(twice).sum().item<int64_t>(), 100);
}

TEST_P(CogText, ItRunsInBfloat16) {
  const c10::InferenceMode inference;
  const Weights weights = weights_of(checkpoint_, at::kBFloat16);
  const SeenImages images =
      see_images(*graph_->tower(), weights, {{{"pixel_values", own("in.images")}}}, 1)[0];
  const at::Tensor found =
      graph_->logits(graph_->hidden_states({marked_ids(), {}, 0, &images}, weights), weights);
  EXPECT_EQ(found.scalar_type(), at::kBFloat16);
  const at::Tensor expected = own_tokens("out.logits");
  EXPECT_LT((found.to(at::kFloat) - expected).norm().item<double>(),
            0.05 * expected.norm().item<double>());
}

TEST_P(CogText, AnImageMustFillItsPlaces) {
  const c10::InferenceMode inference;
  EXPECT_THROW(graph_->hidden_states({marked_ids()}, weights_), Error);
  const SeenImages images = see(/*typed=*/false);
  EXPECT_THROW(graph_->hidden_states({ids(), {}, 0, &images}, weights_), Error);
}

TEST_P(CogText, ItsTensorsAreThoseOfTheCheckpoint) {
  std::vector<NamedShape> tensors;
  for (const TensorSpec& spec : checkpoint_.tensors()) {
    tensors.push_back({spec.name, spec.shape});
  }
  EXPECT_NO_THROW(check_weights(*graph_, tensors));
  EXPECT_EQ(graph_->tensors().size(), tensors.size());
}

TEST_P(CogText, ConfigsThatCannotBeRunAreNamed) {
  const auto message = [this](ErrorCode code, const char* pointer, const json& value) {
    json config = checkpoint_.config();
    config[json::json_pointer(pointer)] = value;
    return error_message(code, [&] { make_model(config); });
  };
  EXPECT_EQ(message(ErrorCode::Checkpoint, "/num_multi_query_heads", nullptr),
            "config.json: 'num_multi_query_heads' must be a size above 0, found nothing");
  EXPECT_EQ(message(ErrorCode::Checkpoint, "/vision_config/hidden_size", nullptr),
            "config.json: vision_config: 'hidden_size' must be a size above 0, found nothing");
  EXPECT_EQ(message(ErrorCode::Unsupported, "/vision_config/hidden_act", "tanh"),
            "config.json: vision_config.hidden_act 'tanh' is not supported, only gelu, quick_gelu "
            "and silu");
  for (const auto& [key, value] :
       {std::pair{"num_heads", 3}, {"image_size", 42}, {"num_positions", 16}}) {
    EXPECT_EQ(
        message(ErrorCode::Checkpoint, ("/vision_config/" + std::string(key)).c_str(), value),
        "config.json: vision_config has impossible sizes: hidden_size, num_hidden_layers, "
        "num_heads, image_size, patch_size and num_positions must fit, with an even number of "
        "patches in a line");
  }
}

INSTANTIATE_TEST_SUITE_P(First, CogText, testing::Values(0));

}  // namespace
}  // namespace oneshot
