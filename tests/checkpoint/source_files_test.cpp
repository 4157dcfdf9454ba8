// What of a source goes into the output as it is.
#include "engine/checkpoint/source_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "engine/checkpoint/source.h"
#include "tests/support/expect_error.h"
#include "tests/support/safetensors_file.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class SourceFilesTest : public testing::Test {
 protected:
  void create(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      write_file(folder_.path() / name, "{}");
    }
  }
  SourceFiles list(const std::set<std::string>& read = {}) const {
    return list_source_files(folder_.path(), config_, read);
  }

  TemporaryFolder folder_;
  nlohmann::json config_ = nlohmann::json::object();
};

TEST_F(SourceFilesTest, CopiesEverythingElseWithItsSubFolders) {
  create({"config.json",
          "tokenizer.json",
          "LICENSE",
          "modeling_x.py",
          "original/params.json",
          "1_Pooling/config.json",
          "a/b/c.txt",
          "a/recipe.yaml",
          "model.bin.zip",
          "index.json"});
  SourceFiles files = list();
  EXPECT_THAT(files.copied,
              ElementsAre("1_Pooling/config.json",
                          "LICENSE",
                          "a/b/c.txt",
                          "a/recipe.yaml",
                          "index.json",
                          "model.bin.zip",
                          "modeling_x.py",
                          "original/params.json",
                          "tokenizer.json"));
  EXPECT_THAT(files.left_out, IsEmpty());
}

TEST_F(SourceFilesTest, LeavesOutWeightsButNotThoseItReads) {
  create({"model.safetensors",
          "other.safetensors",
          "pytorch_model.bin",
          "a.pth",
          "a.PT",
          "a.ckpt",
          "a.msgpack",
          "a.h5",
          "onnx/a.onnx",
          "a.gguf",
          "weights"});
  SourceFiles files = list({"model.safetensors", "weights"});
  EXPECT_THAT(files.copied, IsEmpty());
  EXPECT_THAT(files.left_out,
              ElementsAre("a.PT",
                          "a.ckpt",
                          "a.gguf",
                          "a.h5",
                          "a.msgpack",
                          "a.pth",
                          "onnx/a.onnx",
                          "other.safetensors",
                          "pytorch_model.bin"));
}

TEST_F(SourceFilesTest, LeavesOutIndexesOfWeights) {
  create({"pytorch_model.bin.index.json",
          "model.safetensors.index.fp16.json",
          "model.safetensors.index.json",
          "search.index.json",
          "tf_model.h5.index.json"});
  write_file(folder_.path() / "consolidated.index.json",
             R"({"weight_map":{"x":"consolidated.00.pth"}})");
  write_file(folder_.path() / "words.index.json", R"({"weight_map":{"x":"words.txt"}})");
  write_file(folder_.path() / "damaged.index.json", "{");
  SourceFiles files = list({"model.safetensors.index.json"});
  EXPECT_THAT(files.copied,
              ElementsAre("damaged.index.json", "search.index.json", "words.index.json"));
  EXPECT_THAT(files.left_out,
              ElementsAre("consolidated.index.json",
                          "model.safetensors.index.fp16.json",
                          "pytorch_model.bin.index.json",
                          "tf_model.h5.index.json"));
}

TEST_F(SourceFilesTest, LeavesOutWhatTheOutputGetsAnewAndWhatIsHidden) {
  create({"quantization_config.json",
          "quantize_config.json",
          "recipe.yaml",
          "oneshot.lock.json",
          "report.json",
          ".gitattributes",
          ".cache/huggingface/x.json",
          "a/.git/HEAD",
          "a/b"});
  SourceFiles files = list();
  EXPECT_THAT(files.copied, ElementsAre("a/b"));
  EXPECT_THAT(files.left_out,
              ElementsAre(".cache/",
                          ".gitattributes",
                          "a/.git/",
                          "oneshot.lock.json",
                          "quantization_config.json",
                          "quantize_config.json",
                          "recipe.yaml",
                          "report.json"));
}

TEST_F(SourceFilesTest, CopiesATowerFolderWhole) {
  create({"clip/config.json",
          "clip/pytorch_model.bin",
          "clip/pytorch_model.bin.index.json",
          "clip/sub/model.safetensors",
          "clip-2/pytorch_model.bin",
          "towers/clip/model.safetensors",
          "towers/model.safetensors"});
  config_["mm_vision_tower"] = "clip";
  EXPECT_THAT(list().copied,
              ElementsAre("clip/config.json",
                          "clip/pytorch_model.bin",
                          "clip/pytorch_model.bin.index.json",
                          "clip/sub/model.safetensors"));
  config_["mm_vision_tower"] = "./towers/clip/";
  EXPECT_THAT(list().copied, ElementsAre("clip/config.json", "towers/clip/model.safetensors"));
}

TEST_F(SourceFilesTest, HasNoTowerOutsideOfItself) {
  create({"clip/pytorch_model.bin", "model.safetensors"});
  for (const nlohmann::json& name : {nlohmann::json("openai/clip-vit-large-patch14-336"),
                                     nlohmann::json("."),
                                     nlohmann::json(""),
                                     nlohmann::json("clip/.."),
                                     nlohmann::json(folder_.string()),
                                     nlohmann::json("../" + folder_.path().filename().string()),
                                     nlohmann::json(1)}) {
    config_["mm_vision_tower"] = name;
    EXPECT_THAT(list().copied, IsEmpty()) << name;
  }
}

TEST_F(SourceFilesTest, FollowsLinksButNotInCircles) {
  TemporaryFolder elsewhere;
  write_file(elsewhere.path() / "text.txt", "t");
  write_file(elsewhere.path() / "deep" / "d.txt", "d");
  create({"a/x.txt"});
  fs::create_symlink(elsewhere.path() / "text.txt", folder_.path() / "link.txt");
  fs::create_directory_symlink(elsewhere.path() / "deep", folder_.path() / "deep");
  fs::create_directory_symlink("..", folder_.path() / "a" / "up");
  fs::create_directory_symlink("/", folder_.path() / "root");
  fs::create_directory_symlink("a", folder_.path() / "again");
  SourceFiles files = list();
  EXPECT_THAT(files.copied, ElementsAre("a/x.txt", "again/x.txt", "deep/d.txt", "link.txt"));
  EXPECT_THAT(files.left_out, ElementsAre("a/up/", "again/up/", "root/"));
}

TEST_F(SourceFilesTest, EndsWhereLinksMultiply) {
  for (int i = 0; i < 20; ++i) {  // 2^20 paths to one file
    std::string next = "../" + std::to_string(i + 1);
    fs::create_directories(folder_.path() / std::to_string(i));
    fs::create_directory_symlink(next, folder_.path() / std::to_string(i) / "a");
    fs::create_directory_symlink(next, folder_.path() / std::to_string(i) / "b");
  }
  create({"20/file"});
  expect_error(ErrorCode::Checkpoint,
               folder_.string() + ": holds more than 20000 files beside its weights",
               [&] { list(); });
}

TEST_F(SourceFilesTest, RefusesWhatIsNoFile) {
  create({"a/b"});
  ASSERT_EQ(mkfifo((folder_.string() + "/a/pipe").c_str(), 0600), 0);
  expect_error(
      ErrorCode::Checkpoint,
      folder_.string() + "/a/pipe: a pipe, socket or device is no part of a checkpoint; remove it",
      [&] { list(); });
}

TEST_F(SourceFilesTest, RefusesALinkThatLeadsNowhere) {
  fs::create_symlink("blobs/gone.bin", folder_.path() / "pytorch_model.bin");
  EXPECT_THAT(list().left_out, ElementsAre("pytorch_model.bin"));
  fs::create_symlink("blobs/gone", folder_.path() / "tokenizer.json");
  expect_error(ErrorCode::Checkpoint,
               folder_.string() +
                   "/tokenizer.json: a link to 'blobs/gone', which does not exist; "
                   "get that file or remove the link",
               [&] { list(); });
}

TEST_F(SourceFilesTest, RefusesANameThatIsNotUtf8) {
  create({"caf\xE9"});
  expect_error(
      ErrorCode::Checkpoint,
      folder_.string() + "/caf\xEF\xBF\xBD: the file name is not UTF-8; rename or remove it",
      [&] { list(); });
}

TEST_F(SourceFilesTest, ReachesTheSourceCheckpoint) {
  create({"config.json", "tokenizer.json", "a.bin"});
  write_file(folder_.path() / "model.safetensors", weights_named({"x"}));
  SourceCheckpoint source(folder_.path());
  EXPECT_THAT(source.copied_files(), ElementsAre("tokenizer.json"));
  EXPECT_THAT(source.left_out_files(), ElementsAre("a.bin"));
}

}  // namespace
}  // namespace oneshot
