// What a run promises: the same bytes for any number of threads, a complete folder or none, and
// what goes beside the weights.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"
#include "engine/lock_file.h"
#include "engine/tensor_bytes.h"
#include "engine/written_checkpoint.h"
#include "formats/registry.h"
#include "tests/support/expect_error.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kW4 = quantize_recipe("scheme: W4A16_ASYM, group_size: 64, ignore: [lm_head]");

/// A copy of the embedded model whose file may be changed.
fs::path copied_model(const TemporaryFolder& folder) {
  const fs::path model = folder.path() / "model";
  fs::copy(tiny_llama(), model, fs::copy_options::recursive);
  return model;
}

/// Overwrites two bytes of a tensor of a model.
void poke(const fs::path& model,
          const std::string& tensor,
          uint64_t offset,
          std::string_view bytes) {
  const fs::path file = model / "model.safetensors";
  const SafetensorsHeader header = read_safetensors_header(InputFile(file));
  for (const TensorInfo& info : header.tensors) {
    if (info.name == tensor) {
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekp(static_cast<std::streamoff>(header.data_begin + info.begin + offset));
      stream << bytes;
      return;
    }
  }
  FAIL() << tensor;
}

std::map<std::string, std::string> promised_bytes(const fs::path& output) {
  auto contents = folder_contents(output);
  contents.erase("report.json");  // times and memory
  return contents;
}

TEST(Run, TheBytesDoNotDependOnTheNumberOfThreads) {
  for (const char* options : {"scheme: W4A16_ASYM, group_size: 64, ignore: [lm_head]",
                              "scheme: NVFP4A16, ignore: [lm_head]",
                              "scheme: FP8_BLOCK, ignore: [lm_head]"}) {
    const TemporaryFolder folder;
    for (const int threads : {1, 2, 8}) {
      run_recipe(folder,
                 {.recipe = quantize_recipe(options),
                  .output = std::to_string(threads),
                  .threads = threads});
    }
    const auto one = promised_bytes(folder.path() / "1");
    EXPECT_GE(one.size(), 7U);
    EXPECT_EQ(one, promised_bytes(folder.path() / "2")) << options;
    EXPECT_EQ(one, promised_bytes(folder.path() / "8")) << options;
  }
}

TEST(Run, WritesEverythingBesideTheWeights) {
  const TemporaryFolder folder;
  const fs::path model = copied_model(folder);
  write_file(model / "templates/chat.jinja", "{{ messages }}");
  write_file(model / "pytorch_model.bin", "old weights");
  const Report report = run_recipe(folder, {.recipe = kW4, .model = model});
  const auto written = folder_contents(folder.path() / "out");
  for (const char* copied : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
    EXPECT_EQ(written.at(copied), read_file(model / copied)) << copied;
  }
  EXPECT_EQ(written.at("templates/chat.jinja"), "{{ messages }}");
  EXPECT_FALSE(written.contains("pytorch_model.bin"));
  EXPECT_THAT(report.left_out_files, testing::ElementsAre("pytorch_model.bin"));
  const json lock = json::parse(written.at("oneshot.lock.json"));
  EXPECT_EQ(lock["tensors"]["lm_head.weight"]["becomes"], "copy");
  EXPECT_EQ(lock["tensors"]["lm_head.weight"]["rule"], "ignore 'lm_head'");
  EXPECT_EQ(lock["tensors"]["model.layers.0.mlp.up_proj.weight"]["becomes"],
            "int4 group 64 asymmetric");
  EXPECT_EQ(lock["source"]["model.safetensors"]["bytes"],
            fs::file_size(model / "model.safetensors"));
  const json written_report = json::parse(written.at("report.json"));
  EXPECT_EQ(written_report["quantized"]["W4A16_ASYM"], 14);
  EXPECT_GT(written_report["peak_memory_bytes"], 1 << 20);
  EXPECT_TRUE(fs::exists(folder.path() / "out/recipe.yaml"));
}

TEST(Run, TheWrittenRecipeMakesTheSameBytes) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = kW4, .output = "first"});
  run_recipe(folder,
             {.recipe = read_file(folder.path() / "first/recipe.yaml"), .output = "second"});
  EXPECT_EQ(promised_bytes(folder.path() / "first"), promised_bytes(folder.path() / "second"));
}

TEST(Run, TheSameAgainIsUpToDateAndAnotherOneNeedsOverwrite) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = kW4});
  const auto before = fs::last_write_time(folder.path() / "out/model.safetensors");
  EXPECT_TRUE(run_recipe(folder, {.recipe = kW4}).up_to_date);
  EXPECT_EQ(fs::last_write_time(folder.path() / "out/model.safetensors"), before);

  const std::string other = quantize_recipe("scheme: FP8_DYNAMIC, ignore: [lm_head]");
  const std::string out = (folder.path() / "out").string();
  expect_error(ErrorCode::Recipe,
               out +
                   ": the output exists and was made from something else; choose another --output, "
                   "or replace "
                   "it with --overwrite",
               [&] { run_recipe(folder, {.recipe = other}); });
  EXPECT_FALSE(run_recipe(folder, {.recipe = other, .overwrite = true}).up_to_date);
  EXPECT_TRUE(run_recipe(folder, {.recipe = other}).up_to_date);
}

TEST(Run, OverwriteReplacesNothingButCheckpoints) {
  const TemporaryFolder folder;
  write_file(folder.path() / "out/thesis.txt", "the only copy");
  EXPECT_THAT(error_message(ErrorCode::Recipe,
                            [&] { run_recipe(folder, {.recipe = kW4, .overwrite = true}); }),
              testing::HasSubstr("--overwrite replaces checkpoints only"));
  EXPECT_EQ(read_file(folder.path() / "out/thesis.txt"), "the only copy");
}

TEST(Run, AnotherSourceIsNotUpToDate) {
  const TemporaryFolder folder;
  const fs::path model = copied_model(folder);
  run_recipe(folder, {.recipe = kW4, .model = model, .hash = true});
  poke(model, "model.norm.weight", 0, "ab");
  EXPECT_THROW(run_recipe(folder, {.recipe = kW4, .model = model, .hash = true}), Error);
}

TEST(Run, NotANumberInAWeightIsRefusedByName) {
  for (const char* options : {"scheme: W4A16",
                              "scheme: W4A16_ASYM",
                              "scheme: FP8_DYNAMIC",
                              "scheme: FP8_BLOCK",
                              "scheme: NVFP4A16",
                              "scheme: MXFP4A16",
                              "scheme: {weights: {bits: 8}}"}) {
    for (const std::string_view bits :
         {std::string_view("\xC0\x7F"), std::string_view("\x80\xFF")}) {
      const TemporaryFolder folder;
      const fs::path model = copied_model(folder);
      poke(model, "model.layers.1.mlp.down_proj.weight", 2 * (5 * 768 + 9), bits);
      expect_error(ErrorCode::Checkpoint,
                   "model.layers.1.mlp.down_proj.weight: holds NaN or infinity (row 5, column 9), "
                   "which cannot be "
                   "quantized; mend the checkpoint or add the module to ignore",
                   [&] {
                     run_recipe(
                         folder,
                         {.recipe = quantize_recipe(std::string(options) + ", ignore: [lm_head]"),
                          .model = model});
                   });
      EXPECT_FALSE(fs::exists(folder.path() / "out")) << options;
      EXPECT_FALSE(fs::exists(folder.path() / ".out.oneshot")) << options;
    }
  }
}

TEST(Run, NotANumberInATensorThatIsCopiedIsCopied) {
  const TemporaryFolder folder;
  const fs::path model = copied_model(folder);
  poke(model, "lm_head.weight", 0, "\xC0\x7F");
  run_recipe(folder, {.recipe = kW4, .model = model});
  EXPECT_EQ(
      tensor_bytes_of(folder.path() / "out/model.safetensors").at("lm_head.weight").substr(0, 2),
      "\xC0\x7F");
}

class CancelAtFirstProgress : public RunListener {
  bool cancelled() override { return true; }
};

TEST(Run, ACancelledRunLeavesNothing) {
  const TemporaryFolder folder;
  CancelAtFirstProgress listener;
  EXPECT_EQ(error_message(ErrorCode::Interrupted,
                          [&] { run_recipe(folder, {.recipe = kW4}, &listener); }),
            "interrupted; no output was written");
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
  EXPECT_FALSE(fs::exists(folder.path() / ".out.oneshot"));
}

TEST(Run, ShardsHoldWhatOneFileHolds) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = kW4, .output = "one"});
  run_recipe(folder, {.recipe = kW4 + "output: {shard_size: 500000}\n", .output = "many"});
  const json index = json::parse(read_file(folder.path() / "many/model.safetensors.index.json"));
  std::map<std::string, std::string> together;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    together[tensor] = tensor_bytes_of(folder.path() / "many" / file.get<std::string>()).at(tensor);
  }
  EXPECT_EQ(together, tensor_bytes_of(folder.path() / "one/model.safetensors"));

  // A sharded source gives the same tensors.
  run_recipe(folder,
             {.recipe = quantize_recipe("scheme: FP8_DYNAMIC, allow_unmatched: true") +
                        "output: {shard_size: 900000}\n",
              .output = "fp8"});
}

TEST(Run, CastsEveryFloatingPointTensorAndTheConfig) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = kW4 + "model: {dtype: float32}\n"});
  const WrittenCheckpoint written(folder.path() / "out");
  EXPECT_EQ(written.config()["dtype"], "float32");
  for (const TensorSpec& spec : written.tensors()) {
    EXPECT_NE(spec.dtype, Dtype::Bf16) << spec.name;
  }
  EXPECT_EQ(written.spec("model.layers.0.mlp.up_proj.weight_scale")->dtype, Dtype::F32);
  const auto before = tensor_bytes_of(tiny_llama() / "model.safetensors").at("model.norm.weight");
  const at::Tensor norm = written.read("model.norm.weight");
  EXPECT_TRUE(
      norm.equal(tensor_of(reinterpret_cast<const std::byte*>(before.data()), Dtype::Bf16, {256})
                     .to(at::kFloat)));
}

TEST(Run, ACastThatLosesAValueIsRefused) {
  const TemporaryFolder folder;
  const fs::path model = copied_model(folder);
  poke(model, "model.norm.weight", 0, "\x80\x47");  // 65536
  expect_error(
      ErrorCode::Checkpoint,
      "model.norm.weight: holds values too large for F16; choose another `model: {dtype: …}`",
      [&] { run_recipe(folder, {.recipe = kW4 + "model: {dtype: float16}\n", .model = model}); });
}

TEST(Run, QuantizesEverySchemeThatNeedsNoData) {
  for (const Preset& preset : presets()) {
    if (preset.scheme.needs_calibration()) {
      continue;
    }
    SCOPED_TRACE(preset.scheme.name);
    const TemporaryFolder folder;
    run_recipe(
        folder,
        {.recipe = quantize_recipe("scheme: " + preset.scheme.name + ", ignore: [lm_head]")});
    const WrittenCheckpoint written(folder.path() / "out");
    const std::unique_ptr<Format> format = formats().front().make();
    const std::string name = "model.layers.0.mlp.up_proj";
    const QuantizedWeight weight =
        format->decode(written, name, format->scheme(written.config(), name));
    const auto source = tensor_bytes_of(tiny_llama() / "model.safetensors").at(name + ".weight");
    const at::Tensor original =
        tensor_of(reinterpret_cast<const std::byte*>(source.data()), Dtype::Bf16, {768, 256})
            .to(at::kFloat);
    const double error = ((dequantize(weight) - original).norm() / original.norm()).item<double>();
    const std::map<int, double> largest{
        {2, 0.6}, {3, 0.3}, {4, 0.15}, {5, 0.07}, {6, 0.035}, {7, 0.018}, {8, 0.035}};
    EXPECT_LT(error, largest.at(preset.scheme.weights.bits));
  }
}

}  // namespace
}  // namespace oneshot
