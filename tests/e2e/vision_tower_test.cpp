// Runs on LLaVA's original layout, whose vision tower is a checkpoint of its own.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "engine/written_checkpoint.h"
#include "tests/support/recipe_run.h"
#include "tests/support/safetensors_file.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const fs::path kLanguage = ONESHOT_TEST_DATA "/checkpoint/torch";
const std::string kFc1 = "model.vision_tower.vision_tower.vision_model.encoder.layers.0.mlp.fc1";
const std::string kOptions = "scheme: W4A16, group_size: 32, ignore: [lm_head";
const std::string kAll = quantize_recipe(kOptions + "]");
const std::string kLanguageOnly = quantize_recipe(kOptions + ", 're:model.vision_tower.*']");

/// One Linear of a tower, with a bias, and a text tower beside it.
std::string tower_weights() {
  std::string data(32 * 32 * 2 + 32 * 2 + 8, '\0');
  for (size_t i = 0; i < data.size() / 2; ++i) {
    data[2 * i] = static_cast<char>(i % 97);
    data[2 * i + 1] = 0x3F;  // bfloat16 from 0.5
  }
  return safetensors_bytes(
      R"({"text_model.x":{"dtype":"BF16","shape":[4],"data_offsets":[2112,2120]},)"
      R"("vision_model.encoder.layers.0.mlp.fc1.bias":{"dtype":"BF16","shape":[32],)"
      R"("data_offsets":[2048,2112]},"vision_model.encoder.layers.0.mlp.fc1.weight":)"
      R"({"dtype":"BF16","shape":[32,32],"data_offsets":[0,2048]}})",
      data);
}

class TowerRun : public testing::Test {
 protected:
  TowerRun() {
    json config = json::parse(read_file(kLanguage / "model/config.json"));
    config["model_type"] = "llava_llama";
    config["mm_vision_tower"] = "clip";
    write_file(model_ / "config.json", config.dump());
    write_file(model_ / "model.safetensors", read_file(kLanguage / "model.safetensors"));
  }

  void write_tower(const fs::path& folder) {
    write_file(folder / "config.json", R"({"hidden_size": 32})");
    write_file(folder / "preprocessor_config.json", R"({"size": 8})");
    write_file(folder / "model.safetensors", tower_weights());
  }
  /// Checks the planned bytes on the way.
  Report run(const std::string& recipe) {
    const Report report = run_recipe(folder_, {.recipe = recipe, .model = model_});
    const Job job = job_of(folder_, recipe);
    const Plan plan = plan_job(job, SourceCheckpoint(model_, job.vision_tower), 2, {});
    EXPECT_EQ(plan.output_bytes(), fs::file_size(output_ / "model.safetensors"));
    return report;
  }
  json lock() const { return json::parse(read_file(output_ / "oneshot.lock.json")); }
  /// Whether model.safetensors has a tensor.
  bool writes(const std::string& tensor) const {
    return tensor_bytes_of(output_ / "model.safetensors").contains(tensor);
  }

  TemporaryFolder folder_;
  fs::path model_ = folder_.path() / "model";
  fs::path output_ = folder_.path() / "out";
};

TEST_F(TowerRun, AnInnerTowerThatIsNotQuantizedIsCopiedWithItsFolder) {
  write_tower(model_ / "clip");
  const Report report = run(kLanguageOnly);
  EXPECT_THAT(report.left_out_files, IsEmpty());
  EXPECT_FALSE(writes(kFc1 + ".weight"));
  EXPECT_TRUE(writes("model.layers.0.mlp.up_proj.weight_packed"));
  EXPECT_EQ(read_file(output_ / "clip/model.safetensors"), tower_weights());
  EXPECT_EQ(read_file(output_ / "clip/config.json"), R"({"hidden_size": 32})");
  EXPECT_EQ(lock()["source"]["clip/model.safetensors"]["bytes"], tower_weights().size());
  EXPECT_EQ(lock()["tensors"][kFc1 + ".bias"]["becomes"], "stays in the vision tower's folder");
  const WrittenCheckpoint written(output_);
  EXPECT_TRUE(written.spec(kFc1 + ".weight").has_value());
  EXPECT_EQ((*written.tower_config())["hidden_size"], 32);
}

TEST_F(TowerRun, AQuantizedInnerTowerIsInTheShards) {
  write_tower(model_ / "clip");
  const Report report = run(kAll);
  EXPECT_THAT(report.left_out_files, testing::ElementsAre("clip/model.safetensors"));
  EXPECT_TRUE(writes(kFc1 + ".weight_packed"));
  EXPECT_EQ(tensor_bytes_of(output_ / "model.safetensors").at(kFc1 + ".bias"),
            tower_weights().substr(tower_weights().size() - 72, 64));
  EXPECT_FALSE(fs::exists(output_ / "clip/model.safetensors"));
  EXPECT_TRUE(fs::exists(output_ / "clip/config.json"));
  EXPECT_TRUE(fs::exists(output_ / "clip/preprocessor_config.json"));
  const json config = json::parse(read_file(output_ / "config.json"));
  EXPECT_EQ(config["mm_vision_tower"], "clip");
  EXPECT_EQ((*WrittenCheckpoint(output_).tower_config())["hidden_size"], 32);
  // The original tower, given or put back, does not hide the quantized one.
  write_tower(output_ / "clip");
  const WrittenCheckpoint written(output_);
  EXPECT_TRUE(written.spec(kFc1 + ".weight_packed").has_value());
  EXPECT_FALSE(written.spec(kFc1 + ".weight").has_value());
}

TEST_F(TowerRun, ATowerFromElsewhereIsLeftThereUnlessItIsQuantized) {
  write_tower(folder_.path() / "tower");
  const std::string named = "model: {vision_tower: tower}\n";
  const Report report = run(kLanguageOnly + named);
  EXPECT_THAT(report.warnings,
              Contains("the vision tower " + folder_.string() +
                       "/tower is not quantized and not part of the output: name it with "
                       "--vision-tower when you use that"));
  EXPECT_FALSE(writes(kFc1 + ".weight"));
  EXPECT_EQ(lock()["source"]["vision_tower: model.safetensors"]["bytes"], tower_weights().size());
  EXPECT_FALSE(WrittenCheckpoint(output_).spec(kFc1 + ".weight").has_value());
  EXPECT_TRUE(
      WrittenCheckpoint(output_, folder_.path() / "tower").spec(kFc1 + ".weight").has_value());

  fs::remove_all(output_);
  EXPECT_THAT(run(kAll + named).warnings, Not(Contains(HasSubstr("vision tower"))));
  EXPECT_TRUE(writes(kFc1 + ".weight_packed"));
  EXPECT_TRUE(writes(kFc1 + ".bias"));
  EXPECT_EQ(read_file(output_ / "clip/config.json"), R"({"hidden_size": 32})");
  EXPECT_EQ(read_file(output_ / "clip/preprocessor_config.json"), R"({"size": 8})");
  EXPECT_FALSE(fs::exists(output_ / "clip/model.safetensors"));
  EXPECT_EQ((*WrittenCheckpoint(output_).tower_config())["hidden_size"], 32);
}

TEST_F(TowerRun, SaysWhereAConfigHasNoPlaceInTheOutput) {
  json config = json::parse(read_file(model_ / "config.json"));
  config["mm_vision_tower"] = "/towers/clip";
  write_file(model_ / "config.json", config.dump());
  write_tower(folder_.path() / "tower");
  EXPECT_THAT(run(kAll + "model: {vision_tower: tower}\n").warnings,
              Contains(HasSubstr("mm_vision_tower is no place inside")));
}

TEST_F(TowerRun, SaysThatACastDoesNotReachACopiedTower) {
  write_tower(model_ / "clip");
  EXPECT_THAT(run(kLanguageOnly + "model: {dtype: float16}\n").warnings,
              Contains("the vision tower " + model_.string() +
                       "/clip is copied as it is: model.dtype does not change it"));
}

}  // namespace
}  // namespace oneshot
