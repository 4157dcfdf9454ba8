// Sources in .bin shards: the output is that of the same tensors in a safetensors file.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "engine/written_checkpoint.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kFolder = ONESHOT_TEST_DATA "/checkpoint/torch";
const std::string kRecipe = quantize_recipe("scheme: W4A16, group_size: 32, ignore: [lm_head]");

/// The folder's model with model.safetensors, which the safetensors library wrote, for weights.
fs::path as_safetensors(const TemporaryFolder& folder) {
  fs::path model = folder.path() / "model";
  write_file(model / "config.json", read_file(kFolder / "model/config.json"));
  write_file(model / "model.safetensors", read_file(kFolder / "model.safetensors"));
  return model;
}

TEST(BinSourceRun, WritesWhatSafetensorsGive) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = kRecipe, .model = kFolder / "model", .output = "of_bin"});
  run_recipe(folder, {.recipe = kRecipe, .model = as_safetensors(folder), .output = "of_st"});
  const auto of_bin = folder_contents(folder.path() / "of_bin");
  const auto of_st = folder_contents(folder.path() / "of_st");
  EXPECT_EQ(of_bin.at("model.safetensors"), of_st.at("model.safetensors"));
  EXPECT_EQ(of_bin.at("config.json"), of_st.at("config.json"));
  std::vector<std::string> names;
  for (const auto& [name, text] : of_bin) {
    names.push_back(name);
  }
  EXPECT_THAT(
      names,
      testing::ElementsAre(
          "config.json", "model.safetensors", "oneshot.lock.json", "recipe.yaml", "report.json"));
  const json source = json::parse(of_bin.at("oneshot.lock.json"))["source"];
  const json& shard = source["pytorch_model-00001-of-00002.bin"];
  EXPECT_EQ(shard["bytes"], fs::file_size(kFolder / "model/pytorch_model-00001-of-00002.bin"));
  EXPECT_EQ(shard["header_sha256"].get<std::string>().size(), 64u);
}

TEST(BinSourceRun, PlanAndShardsAreExact) {
  const TemporaryFolder folder;
  const std::string recipe = kRecipe + "output: {shard_size: 5000}\n";
  const SourceCheckpoint source(kFolder / "model");
  const Job job = job_of(folder, recipe);
  const Plan plan = plan_job(job, source, 2, {});
  run_recipe(folder, {.recipe = recipe, .model = kFolder / "model"});
  uint64_t written = 0;
  for (const auto& [name, text] : folder_contents(folder.path() / "out")) {
    EXPECT_FALSE(name.ends_with(".bin")) << name;
    written += name.ends_with(".safetensors") ? text.size() : 0;
  }
  EXPECT_EQ(plan.output_bytes(), written);
  EXPECT_TRUE(fs::exists(folder.path() / "out/model.safetensors.index.json"));
}

TEST(BinSourceRun, IsReadBackLikeSafetensors) {
  const TemporaryFolder folder;
  const WrittenCheckpoint bin(kFolder / "model");
  const WrittenCheckpoint safetensors(as_safetensors(folder));
  ASSERT_EQ(bin.tensors().size(), safetensors.tensors().size());
  for (const TensorSpec& spec : bin.tensors()) {
    EXPECT_TRUE(bin.read(spec.name).equal(safetensors.read(spec.name))) << spec.name;
  }
}

}  // namespace
}  // namespace oneshot
