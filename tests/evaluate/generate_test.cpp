// Continued texts, against what Transformers writes (tests/data/evaluate).
#include "engine/evaluate/generate.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "engine/available_memory.h"
#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint_model.h"
#include "engine/evaluate/kept_weights.h"
#include "engine/evaluation_memory.h"
#include "tests/support/expect_error.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

using Ids = std::vector<int32_t>;

class Generate : public testing::Test {
 protected:
  Generation run(const Ids& ids, const GenerationOptions& options) {
    return generate(model.graph(), model.weights(), ids, options);
  }

  CheckpointModel model{tiny_llama(), {}, false};
  nlohmann::json expected =
      read_json_object(ONESHOT_TEST_DATA "/evaluate/expected.json")["generation"];
  Ids prompt = expected["prompt_ids"];
};

TEST_F(Generate, GreedyTokensAreThoseOfTransformers) {
  const Generation result = run(prompt, {.max_tokens = 32});
  EXPECT_EQ(result.ids, expected["ids"].get<Ids>());
  EXPECT_EQ(result.stopped_by, StopReason::MaxTokens);
}

TEST_F(Generate, StopsAtAnyEndToken) {
  const Ids ids = expected["ids"];
  const Generation result = run(prompt, {.max_tokens = 32, .sampling = {}, .end_tokens = {1, 264}});
  EXPECT_EQ(result.ids, Ids(ids.begin(), std::find(ids.begin(), ids.end(), 264)));
  EXPECT_EQ(result.stopped_by, StopReason::EndToken);
}

TEST_F(Generate, StopsWhereTheModelsTextsEnd) {
  const int64_t longest = model.graph().sizes().longest_text;
  EXPECT_EQ(longest, model.config()["max_position_embeddings"]);
  const Ids almost(static_cast<size_t>(longest - 1), 300);
  const Generation result = run(almost, {.max_tokens = 32});
  EXPECT_EQ(result.ids.size(), 2U);  // the second one is predicted from a full text
  EXPECT_EQ(result.stopped_by, StopReason::LongestText);
}

TEST_F(Generate, RefusesPromptsThatCannotBeRead) {
  expect_error(ErrorCode::Checkpoint, "the prompt has no tokens; write at least one word", [&] {
    run({}, {});
  });
  const int64_t longest = model.graph().sizes().longest_text;
  expect_error(ErrorCode::Checkpoint,
               "the prompt has " + std::to_string(longest + 1) + " tokens, more than the " +
                   std::to_string(longest) + " that the model can read; shorten it",
               [&] { run(Ids(static_cast<size_t>(longest + 1), 5), {}); });
  expect_error(ErrorCode::Checkpoint,
               "token 1024 is outside the model's vocabulary of 1024; does the tokenizer belong to "
               "the model?",
               [&] { run({1024}, {}); });
}

TEST_F(Generate, EndsWhenAsked) {
  EXPECT_THROW(generate(model.graph(), model.weights(), prompt, {}, [](int32_t) { return false; }),
               Error);
}

TEST_F(Generate, KeptWeightsAreLoadedOnceAsFarAsTheyFit) {
  int loads = 0;
  const Weights counted{model.weights().has, [&](const std::string& name) {
                          ++loads;
                          return model.weights().load(name);
                        }};
  const ModelBytes bytes = model.bytes(1);
  const auto run_with = [&](uint64_t kept) {
    loads = 0;
    return generate(model.graph(), kept_weights(counted, kept), prompt, {.max_tokens = 4}).ids;
  };
  const Ids all = run_with(bytes.loaded + 1024);  // and the last norm
  EXPECT_EQ(loads, 21);                           // the tensors of the model
  EXPECT_EQ(run_with(bytes.loaded / 2), all);
  EXPECT_GT(loads, 21);
  EXPECT_LT(loads, 4 * 21);
  EXPECT_EQ(run_with(0), all);
  EXPECT_EQ(loads, 4 * 21);
}

TEST_F(Generate, WeightsStayWhereTheyFit) {
  const ModelBytes bytes = model.bytes(1);
  EXPECT_EQ(bytes.stored, std::filesystem::file_size(tiny_llama() / "model.safetensors"));
  const uint64_t values = (2 * 256 + 2 * 128) * 256 + 3 * 256 * 768 + 2 * 256;  // of a block
  EXPECT_EQ(bytes.largest_part, 4 * values + 2 * 256 * 768);  // and the largest one as it is mapped
  EXPECT_EQ(model.bytes(100).largest_part, (4 + 2) * values);
  EXPECT_EQ(bytes.loaded, 2 * (bytes.stored - 2240));  // a header, then bfloat16
  EXPECT_GT(kept_weight_bytes(model, 64, std::nullopt), bytes.loaded);
  const std::string message =
      error_message(ErrorCode::Resource, [&] { kept_weight_bytes(model, 64, 1000); });
  EXPECT_TRUE(message.starts_with("--memory 1000: generating needs ")) << message;
}

TEST(AvailableMemory, IsAPartOfTheMachines) {
  const auto pages = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES));
  EXPECT_GT(available_memory(), 0U);
  EXPECT_LE(available_memory(), pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

}  // namespace
}  // namespace oneshot
