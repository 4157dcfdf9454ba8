// A vision tower that is a checkpoint of its own, inside the model's folder or elsewhere.
#include "engine/checkpoint/vision_tower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/checkpoint/source.h"
#include "tests/support/expect_error.h"
#include "tests/support/safetensors_file.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

using testing::ElementsAre;

constexpr const char* kInModel = "model.vision_tower.vision_tower.vision_model.";

class TowerSource : public testing::Test {
 protected:
  TowerSource() {
    write("m/config.json", R"({"model_type":"llava_llama","mm_vision_tower":"clip"})");
    write("m/model.safetensors", weights_named({"model.norm.weight"}));
  }

  void write(const std::string& name, std::string_view text) {
    write_file(folder_.path() / name, text);
  }
  void write_tower(const std::string& name) {
    write(name + "/config.json", R"({"model_type":"clip_vision_model","hidden_size":8})");
    write(name + "/model.safetensors",
          weights_named({"text_model.x", "vision_model.a", "logit_scale", "vision_model.b"}));
  }
  /// vision_tower: below the test's folder; empty: none is given.
  SourceCheckpoint open(const std::string& vision_tower = "") const {
    return SourceCheckpoint(folder_.path() / "m",
                            vision_tower.empty() ? "" : folder_.path() / vision_tower);
  }

  TemporaryFolder folder_;
};

/// "tensor@file" of every tensor, in order.
std::vector<std::string> tensors(const SourceCheckpoint& source) {
  std::vector<std::string> names;
  for (const SourceTensor& tensor : source.tensors()) {
    names.push_back(tensor.name + "@" + source.weight_files()[tensor.file].name);
  }
  return names;
}

TEST_F(TowerSource, HasTheTensorsOfTheFolderThatItsConfigNames) {
  write_tower("m/clip");
  const SourceCheckpoint source = open();
  EXPECT_THAT(tensors(source),
              ElementsAre("model.norm.weight@model.safetensors",
                          std::string(kInModel) + "a@clip/model.safetensors",
                          std::string(kInModel) + "b@clip/model.safetensors"));
  const SourceTensor* b = source.find(std::string(kInModel) + "b");
  ASSERT_NE(b, nullptr);
  EXPECT_TRUE(source.is_in_tower(*b));
  EXPECT_FALSE(source.is_in_tower(source.tensors().front()));
  std::vector<std::byte> scratch;
  const std::byte* bytes = source.file(b->file).fetch(b->offset, b->bytes, scratch);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes), 2), "gh");  // the fourth of the file
  EXPECT_TRUE(source.is_tower_inside());
  EXPECT_EQ(source.tower_folder(), folder_.path() / "m/clip");
  ASSERT_NE(source.tower_config(), nullptr);
  EXPECT_EQ((*source.tower_config())["hidden_size"], 8);
  EXPECT_THAT(source.copied_files(), ElementsAre("clip/config.json", "clip/model.safetensors"));
  EXPECT_THAT(source.tower_weight_files(), ElementsAre("clip/model.safetensors"));
}

TEST_F(TowerSource, HasTheTensorsOfAFolderThatIsGiven) {
  write_tower("elsewhere");
  const SourceCheckpoint source = open("elsewhere");
  EXPECT_THAT(tensors(source),
              ElementsAre("model.norm.weight@model.safetensors",
                          std::string(kInModel) + "a@vision_tower: model.safetensors",
                          std::string(kInModel) + "b@vision_tower: model.safetensors"));
  EXPECT_FALSE(source.is_tower_inside());
  EXPECT_EQ(source.tower_folder(), folder_.path() / "elsewhere");
}

TEST_F(TowerSource, KeepsToATowerOfItsOwn) {
  write("m/model.safetensors", weights_named({std::string(kInModel) + "a"}));
  write_tower("m/clip");
  write_tower("elsewhere");
  for (const char* given : {"", "elsewhere"}) {
    EXPECT_THAT(tensors(open(given)), ElementsAre(std::string(kInModel) + "a@model.safetensors"));
    EXPECT_NE(open(given).tower_config(), nullptr);  // still says how the tower is built
  }
}

TEST_F(TowerSource, HasNoTowerInAFolderWithoutConfig) {
  write("m/clip/preprocessor_config.json", "{}");
  EXPECT_EQ(open().tower_config(), nullptr);
  EXPECT_EQ(open().tower_folder(), "");
  write("m/clip/config.json", "{}");  // a tower whose tensors are elsewhere
  EXPECT_NE(open().tower_config(), nullptr);
  EXPECT_EQ(open().tensors().size(), 1u);
}

TEST_F(TowerSource, RefusesATowerThatIsNone) {
  expect_error(ErrorCode::Checkpoint,
               folder_.string() + "/none/config.json: cannot open: No such file or directory",
               [&] { open("none"); });
  write("text/config.json", "{}");
  write("text/model.safetensors", weights_named({"text_model.x"}));
  expect_error(
      ErrorCode::Checkpoint,
      folder_.string() + "/text: no vision tower: its weights hold no tensor 'vision_model.…'",
      [&] { open("text"); });
  write("m/config.json", "{}");
  expect_error(ErrorCode::Recipe,
               folder_.string() +
                   "/m/config.json: names no mm_vision_tower, so the vision tower '" +
                   folder_.string() + "/text' has no place in this model; leave vision_tower out",
               [&] { open("text"); });
}

}  // namespace
}  // namespace oneshot
