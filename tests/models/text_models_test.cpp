// Block outputs, logits and gradients of the text families against what their own code computed
// (tests/data/models, by Transformers 5.0.0.dev0 in float32).
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/models/registry.h"
#include "tests/models/block_gradients.h"
#include "tests/support/expected_tensors.h"
#include "tests/support/model_weights.h"

namespace oneshot {
namespace {

class TextModel : public testing::TestWithParam<const char*> {
 protected:
  TextModel()
      : folder_(std::filesystem::path(ONESHOT_TEST_DATA) / "models" / GetParam()),
        checkpoint_(folder_),
        expected_(folder_ / "expected.safetensors"),
        graph_(make_model(checkpoint_.config())) {}

  TextBatch batch() const { return {expected_["in.input_ids"], expected_["in.attention_mask"]}; }

  /// The block whose gradients are in the folder.
  Block& gradient_block();
  /// Compares the gradients of the block's input and of its parameters; how many of these it
  /// compared.
  size_t compare_gradients(bool with_norms);

  std::filesystem::path folder_;
  WrittenCheckpoint checkpoint_;
  Expected expected_;
  std::unique_ptr<ModelGraph> graph_;
};

TEST_P(TextModel, BlocksAndLogitsAreThoseOfTheReference) {
  const c10::InferenceMode inference;
  const Weights weights = weights_of(checkpoint_);
  const at::Tensor seen = batch().mask;
  size_t blocks = 0;
  const at::Tensor normed =
      graph_->hidden_states(batch(), weights, [&](size_t i, const at::Tensor& output) {
        expect_close(output,
                     expected_["out.block." + std::to_string(i)],
                     seen,
                     "block " + std::to_string(i));
        ++blocks;
      });
  EXPECT_EQ(blocks, graph_->block_count());
  expect_close(normed, expected_["out.norm"], seen, "norm");
  expect_close(graph_->logits(normed, weights), expected_["out.logits"], seen, "logits");
}

TEST_P(TextModel, ATextReadPieceByPieceGivesTheSameLogits) {
  const c10::InferenceMode inference;
  const Weights weights = weights_of(checkpoint_);
  const at::Tensor whole = batch().mask.all(1).nonzero().squeeze(1);  // rows without padding
  ASSERT_GT(whole.size(0), 0);
  const at::Tensor ids = batch().ids.index_select(0, whole);
  const at::Tensor expected = expected_["out.logits"].index_select(0, whole);
  const int64_t length = ids.size(1);
  const bool is_longrope = GetParam() == std::string("phi3_longrope_long");
  TextCache cache;
  int64_t restarts = 0;
  for (int64_t end = 5; end <= length; end += end == 5 ? 6 : 1) {
    if (graph_->must_start_over(cache, end)) {
      cache = {};
      ++restarts;
    }
    const int64_t first = cache.tokens;
    const at::Tensor piece = ids.narrow(1, first, end - first);
    const at::Tensor found =
        graph_->logits(graph_->next_hidden_states(piece, weights, cache), weights);
    if (is_longrope && end <= 16) {
      continue;  // the reference read 20 tokens at once, with the angles of long texts
    }
    const int64_t compared = is_longrope ? 1 : end - first;
    expect_close(found.narrow(1, found.size(1) - compared, compared),
                 expected.narrow(1, end - compared, compared),
                 {},
                 "up to token " + std::to_string(end));
  }
  EXPECT_EQ(cache.tokens, length);
  EXPECT_EQ(restarts, is_longrope ? 1 : 0);
}

Block& TextModel::gradient_block() {
  const std::string name = checkpoint_.config()["_grad_block"];
  for (size_t i = 0; i < graph_->block_count(); ++i) {
    if (graph_->block(i).name() == name) {
      return graph_->block(i);
    }
  }
  throw std::out_of_range(name);
}

size_t TextModel::compare_gradients(bool with_norms) {
  return compare_block_gradients(gradient_block(),
                                 graph_->context(batch(), at::kFloat),
                                 weights_of(checkpoint_),
                                 expected_,
                                 with_norms);
}

TEST_P(TextModel, GradientsAreThoseOfTheReference) {
  const auto expected =
      std::count_if(expected_.all().begin(), expected_.all().end(), [](const auto& tensor) {
        return tensor.first.starts_with("grad.w.");
      });
  EXPECT_EQ(compare_gradients(/*with_norms=*/true), expected);
}

// As tuning needs them: the norms have ways back of their own where their weights stay.
TEST_P(TextModel, GradientsBesideConstantNorms) {
  EXPECT_GT(compare_gradients(/*with_norms=*/false), 0);
}

INSTANTIATE_TEST_SUITE_P(Families,
                         TextModel,
                         testing::Values("llama",
                                         "llama_leftpad",
                                         "llama_llama3rope_bias",
                                         "llama_yarn",
                                         "mistral_window8",
                                         "phi3_longrope_long",
                                         "phi3_longrope_short",
                                         "qwen2",
                                         "qwen3_headdim32"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace oneshot
