// Which tensors a source has, and what is said of a source that is wrong.
#include "engine/checkpoint/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/checkpoint/sha256.h"
#include "tests/support/expect_error.h"
#include "tests/support/safetensors_file.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

using testing::ElementsAre;

class Source : public testing::Test {
 protected:
  Source() { write("config.json", R"({"model_type":"llama"})"); }

  void write(const std::string& name, std::string_view text) {
    write_file(folder_.path() / name, text);
  }
  /// "tensor@file" of every tensor, in order.
  std::vector<std::string> tensors() const {
    SourceCheckpoint source(folder_.path());
    std::vector<std::string> names;
    for (const SourceTensor& tensor : source.tensors()) {
      names.push_back(tensor.name + "@" + source.weight_files()[tensor.file].name);
    }
    return names;
  }
  /// message: after the folder.
  void expect(ErrorCode code, const std::string& message) const {
    expect_error(
        code, folder_.string() + message, [&] { SourceCheckpoint source(folder_.path()); });
  }
  void expect_damaged(const std::string& message) const { expect(ErrorCode::Checkpoint, message); }

  TemporaryFolder folder_;
};

constexpr const char* kIndex = "model.safetensors.index.json";

TEST_F(Source, KnowsWhereEveryTensorLies) {
  write("model.safetensors", weights_named({"y", "x"}));
  SourceCheckpoint source(folder_.path());
  EXPECT_EQ(source.folder(), folder_.path());
  EXPECT_EQ(source.config()["model_type"], "llama");
  ASSERT_EQ(source.tensors().size(), 2u);
  EXPECT_EQ(source.tensors()[0].name, "y");
  const SourceTensor* x = source.find("x");
  ASSERT_EQ(x, &source.tensors()[1]);
  EXPECT_EQ(x->dtype, Dtype::U8);
  EXPECT_THAT(x->shape, ElementsAre(2));
  EXPECT_EQ(x->bytes, 2u);
  std::vector<std::byte> scratch;
  const std::byte* bytes = source.file(x->file).fetch(x->offset, x->bytes, scratch);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes), 2), "cd");
  EXPECT_EQ(source.find("z"), nullptr);
}

TEST_F(Source, RecordsItsWeightFiles) {
  std::string bytes = weights_named({"x"});
  write("model.safetensors", bytes);
  SourceCheckpoint source(folder_.path());
  ASSERT_EQ(source.weight_files().size(), 1u);
  EXPECT_EQ(source.weight_files()[0].name, "model.safetensors");
  EXPECT_EQ(source.weight_files()[0].size, bytes.size());
  EXPECT_EQ(source.weight_files()[0].header_sha256, sha256_hex(bytes.substr(0, bytes.size() - 2)));
}

TEST_F(Source, TakesTheFilesOfItsIndexInNameOrder) {
  write("b.safetensors", weights_named({"y", "x"}));
  write("sub/a.safetensors", weights_named({"z"}));
  write("model.safetensors", weights_named({"other"}));
  write("other.safetensors.index.json", "not read");
  write(kIndex,
        R"({"weight_map":{"z":"./sub/a.safetensors","y":"b.safetensors","x":"b.safetensors"}})");
  EXPECT_THAT(tensors(), ElementsAre("y@b.safetensors", "x@b.safetensors", "z@sub/a.safetensors"));
}

TEST_F(Source, TakesTheOnlyIndexThereIs) {
  write("w-1.safetensors", weights_named({"x"}));
  write("w.safetensors.index.json", R"({"weight_map":{"x":"w-1.safetensors"}})");
  EXPECT_THAT(tensors(), ElementsAre("x@w-1.safetensors"));
}

TEST_F(Source, TakesModelSafetensorsOverOthers) {
  write("adapter.safetensors", weights_named({"a"}));
  write("model.safetensors", weights_named({"x"}));
  EXPECT_THAT(tensors(), ElementsAre("x@model.safetensors"));
}

TEST_F(Source, TakesTheOnlySafetensorsFile) {
  write("weights.safetensors", weights_named({"x"}));
  write(".hidden.safetensors", weights_named({"h"}));
  write("pytorch_model.bin", "");
  EXPECT_THAT(tensors(), ElementsAre("x@weights.safetensors"));
}

TEST_F(Source, FollowsTheLinksOfADownloadCache) {
  namespace fs = std::filesystem;
  fs::path snapshot = folder_.path() / "snapshots" / "0123";
  for (const char* name : {"config.json", "model-1.safetensors", kIndex, "tokenizer.json"}) {
    fs::create_directories(snapshot);
    fs::create_symlink(std::string("../../blobs/of-") + name, snapshot / name);
  }
  write("blobs/of-config.json", "{}");
  write("blobs/of-tokenizer.json", "{}");
  write("blobs/of-model-1.safetensors", weights_named({"x"}));
  write(std::string("blobs/of-") + kIndex, R"({"weight_map":{"x":"model-1.safetensors"}})");
  SourceCheckpoint source(snapshot);
  EXPECT_EQ(source.tensors()[0].name, "x");
  EXPECT_THAT(source.copied_files(), ElementsAre("tokenizer.json"));
  EXPECT_TRUE(source.left_out_files().empty());

  fs::remove(folder_.path() / "blobs" / "of-model-1.safetensors");
  expect_error(ErrorCode::Checkpoint,
               (snapshot / kIndex).string() +
                   ": names the file 'model-1.safetensors', which does "
                   "not exist; get it or its link target",
               [&] { SourceCheckpoint again(snapshot); });
}

TEST_F(Source, MustBeAFolderWithAConfig) {
  auto open = [&](const char* name) { SourceCheckpoint source(folder_.path() / name); };
  write("file", "");
  write("empty/file", "");
  expect_error(ErrorCode::Checkpoint,
               folder_.string() + "/none: the model folder does not exist",
               [&] { open("none"); });
  expect_error(ErrorCode::Checkpoint,
               folder_.string() +
                   "/file: not a folder; name the folder that holds config.json and the weights",
               [&] { open("file"); });
  expect_error(
      ErrorCode::Checkpoint,
      folder_.string() + "/empty: no config.json; name the folder of a Hugging Face checkpoint",
      [&] { open("empty"); });
}

TEST_F(Source, RefusesAConfigThatIsNoJsonObject) {
  write("config.json", "{\n  \"a\": 1,\n}");
  expect_damaged("/config.json:3:1: not valid JSON");
  write("config.json", std::string("{}\0", 3));
  expect_damaged("/config.json:1:3: not valid JSON");
  write("config.json", "{\"a\":\"\xFF\"}");
  expect_damaged("/config.json:1:7: not valid JSON");
  write("config.json", "{\"a\":1e999}");
  expect_damaged("/config.json: not valid JSON, a number is too large");
  write("config.json", "");
  expect_damaged("/config.json:1:1: not valid JSON");
  write("config.json", "[]");
  expect_damaged("/config.json: holds JSON array, expected an object");
  write("config.json", "{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}");
  expect_damaged("/config.json: nested deeper than 100");
}

TEST_F(Source, RefusesToBeWithoutWeights) {
  expect_damaged(
      ": no weights found: no .safetensors file, no index of some, no pytorch_model.bin");
  write("training_args.bin", "");
  expect_damaged(
      ": no weights found: no .safetensors file, no index of some, no pytorch_model.bin");
}

TEST_F(Source, RefusesToChooseBetweenFiles) {
  write("b.safetensors", weights_named({"x"}));
  write("a.safetensors", weights_named({"y"}));
  expect_damaged(
      ": which of a.safetensors, b.safetensors are the weights? Add model.safetensors.index.json "
      "or keep one of them as model.safetensors");
}

TEST_F(Source, RefusesAnIndexThatIsDamaged) {
  write("s.safetensors", weights_named({"x"}));
  const std::string no_map = ": has no 'weight_map' that names the file of each tensor";
  const std::vector<std::pair<std::string, std::string>> damages = {
      {"{", ":1:2: not valid JSON"},
      {"[]", ": holds JSON array, expected an object"},
      {"{}", no_map},
      {R"({"weight_map":[]})", no_map},
      {R"({"weight_map":{}})", no_map},
      {R"({"weight_map":{"x":1}})", ": the file of tensor 'x' is no string"},
      {R"({"weight_map":{"x":"s.safetensors","x":"s.safetensors"}})", ": holds 'x' twice"},
      {R"({"weight_map":{"x":"none.safetensors"}})",
       ": names the file 'none.safetensors', which does not exist; get it or its link target"},
      {R"({"weight_map":{"x":"s.safetensors","y":"s.safetensors"}})",
       ": lists tensor 'y' in 's.safetensors', which does not hold it"},
  };
  for (const auto& [text, message] : damages) {
    SCOPED_TRACE(text);
    write(kIndex, text);
    expect_damaged(std::string("/") + kIndex + message);
  }
}

TEST_F(Source, RefusesAnIndexThatLeavesTheFolder) {
  write("s.safetensors", weights_named({"x"}));
  for (const char* name :
       {"/etc/passwd", "../s.safetensors", "a/../../b", "", ".", "sub/", "s.safetensors\\u0000"}) {
    SCOPED_TRACE(name);
    write(kIndex, std::string(R"({"weight_map":{"x":")") + name + "\"}}");
    expect_damaged(std::string("/") + kIndex + ": names the file '" + name +
                   "', which is no file of this folder");
  }
}

TEST_F(Source, RefusesAnIndexThatDisagreesWithTheShards) {
  write("1.safetensors", weights_named({"x", "y"}));
  write("2.safetensors", weights_named({"z"}));
  write(kIndex, R"({"weight_map":{"x":"1.safetensors","y":"2.safetensors","z":"2.safetensors"}})");
  expect_damaged(std::string("/") + kIndex +
                 ": lists tensor 'y' in '2.safetensors', but it is in '1.safetensors'");
  write(kIndex, R"({"weight_map":{"x":"1.safetensors","z":"2.safetensors"}})");
  expect_damaged(std::string("/") + kIndex + ": does not list tensor 'y' of '1.safetensors'");
  write("2.safetensors", weights_named({"z", "x"}));
  expect_damaged(": tensor 'x' is in two files, '1.safetensors' and '2.safetensors'");
}

TEST_F(Source, NamesTheDamagedShard) {
  write("1.safetensors", weights_named({"x"}) + "!");
  write(kIndex, R"({"weight_map":{"x":"1.safetensors"}})");
  expect_damaged(
      "/1.safetensors: 1 bytes after the last tensor belong to none; the file is damaged, get it "
      "again");
}

TEST_F(Source, RefusesToBeQuantizedAlready) {
  const std::string hint = "); use the one it was made from";
  write("model.safetensors", weights_named({"x"}));
  const std::vector<std::pair<std::string, std::string>> configs = {
      {R"({"quantization_config":{"quant_method":"gptq"}})",
       "quantization_config, quant_method 'gptq'"},
      {R"({"compression_config":{"quant_method":"compressed-tensors"}})",
       "compression_config, quant_method 'compressed-tensors'"},
      {R"({"text_config":{"quantization_config":{}}})",
       "text_config.quantization_config without quant_method"},
      {R"({"text_config":{"compression_config":{"quant_method":"fp8"}}})",
       "text_config.compression_config, quant_method 'fp8'"},
  };
  for (const auto& [config, by] : configs) {
    SCOPED_TRACE(config);
    write("config.json", config);
    std::string message = "/config.json: this checkpoint is quantized already (";
    message += by;
    message += hint;
    expect(ErrorCode::Unsupported, message);
  }
  write("config.json", R"({"quantization_config":null})");
  EXPECT_THAT(tensors(), ElementsAre("x@model.safetensors"));
  for (const char* name :
       {"q.weight_packed", "q.qweight", "q.weight_scale", "q.weight_scale_inv"}) {
    SCOPED_TRACE(name);
    write("model.safetensors", weights_named({name}));
    expect(ErrorCode::Unsupported,
           std::string("/model.safetensors: this checkpoint is quantized already (tensor '") +
               name + "'" + hint);
  }
}

}  // namespace
}  // namespace oneshot
