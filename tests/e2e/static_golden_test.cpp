// Calibrated runs against what llm-compressor wrote: weights and config to the byte; scales of
// activations within a step of bfloat16, as the forward passes round differently.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/checkpoint/sha256.h"
#include "engine/written_checkpoint.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

struct Case {
  const char* name;
  const char* options;
  double tolerance = 0x1p-7;  // relative: a step of bfloat16
};

std::string calibrated_recipe(const std::string& options) {
  return quantize_recipe(options) +
         "calibration: {dataset: " ONESHOT_TEST_DATA
         "/calibration/calib_ids.jsonl, samples: 64, sequence_length: 256, shuffle: false}\n";
}

/// For the names in the list of tests.
void PrintTo(const Case& tested, std::ostream* out) {
  *out << tested.name;
}

class StaticGolden : public testing::TestWithParam<Case> {};

TEST_P(StaticGolden, EqualsThePeer) {
  const Case& tested = GetParam();
  const TemporaryFolder folder;
  run_recipe(folder,
             {.recipe = calibrated_recipe(std::string(tested.options) + ", ignore: [lm_head]")});
  const std::filesystem::path golden =
      std::filesystem::path(ONESHOT_TEST_DATA) / "golden" / tested.name;
  EXPECT_EQ(read_file(folder.path() / "out/config.json"), read_file(golden / "config.json"));
  const auto bytes = tensor_bytes_of(folder.path() / "out/model.safetensors");
  const WrittenCheckpoint written(folder.path() / "out");
  const auto expected = nlohmann::json::parse(read_file(golden / "tensors.json"))["tensors"];
  EXPECT_EQ(bytes.size(), expected.size());
  for (const auto& [name, tensor] : expected.items()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(bytes.contains(name));
    EXPECT_EQ(std::string(dtype_name(written.spec(name)->dtype)), tensor["dtype"]);
    if (tensor.contains("sha256")) {
      EXPECT_EQ(sha256_hex(bytes.at(name)), tensor["sha256"]);
      continue;
    }
    const double value = tensor["values"][0].get<double>();
    const bool is_zero_point = name.ends_with("zero_point");
    EXPECT_NEAR(written.read(name).item<double>(),
                value,
                is_zero_point ? 1.0 : tested.tolerance * std::abs(value));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Schemes,
    StaticGolden,
    testing::Values(
        Case{"lc_fp8_static", "scheme: FP8"},
        Case{"lc_nvfp4", "scheme: NVFP4", 0x1p-6},  // of the reciprocal, rounded once more
        Case{"lc_fp8_kv", "scheme: FP8, kv_cache_scheme: FP8"},
        Case{"lc_int8_static_asym_average",
             "scheme: {weights: {bits: 8, strategy: channel}, input_activations: {bits: 8, "
             "symmetric: false, observer: moving_average}}"},
        Case{"lc_int8_static_mse",
             "scheme: {weights: {bits: 8, strategy: channel, observer: mse}, input_activations: "
             "{bits: 8, observer: mse}}",
             0.02},  // two steps of the search
        Case{"lc_w4_mse", "scheme: {weights: {bits: 4, group_size: 128, observer: mse}}"},
        Case{"lc_w4_asym_mse",
             "scheme: {weights: {bits: 4, group_size: 128, symmetric: false, observer: mse}}"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Calibrated, GivesTheSameBytesForAnyNumberOfThreads) {
  const TemporaryFolder folder;
  const std::string recipe = calibrated_recipe("scheme: NVFP4, kv_cache_scheme: FP8");
  run_recipe(folder, {.recipe = recipe, .output = "one", .threads = 1});
  run_recipe(folder, {.recipe = recipe, .output = "three", .threads = 3});
  for (const char* file :
       {"model.safetensors", "config.json", "recipe.yaml", "oneshot.lock.json"}) {
    EXPECT_EQ(read_file(folder.path() / "one" / file), read_file(folder.path() / "three" / file))
        << file;
  }
}

TEST(Calibrated, InFloat32FindsTheSameRanges) {
  const TemporaryFolder folder;
  run_recipe(folder,
             {.recipe = calibrated_recipe("scheme: FP8, ignore: [lm_head]") +
                        "model: {dtype: float32}\n"});
  const WrittenCheckpoint written(folder.path() / "out");
  const auto expected = nlohmann::json::parse(
      read_file(ONESHOT_TEST_DATA "/golden/lc_fp8_static/tensors.json"))["tensors"];
  size_t compared = 0;
  for (const auto& [name, tensor] : expected.items()) {
    if (tensor.contains("values")) {
      const double value = tensor["values"][0].get<double>();
      EXPECT_NEAR(written.read(name).item<double>(), value, 0x1p-6 * value) << name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 14U);
}

TEST(Calibrated, LockNamesTheData) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = calibrated_recipe("scheme: FP8")});
  const auto lock = nlohmann::json::parse(read_file(folder.path() / "out/oneshot.lock.json"));
  EXPECT_EQ(lock["calibration_sha256"].get<std::string>().size(), 64U);
  EXPECT_EQ(lock["seed"], 42);
}

TEST(Calibrated, HeadsCanHaveStaticInputsToo) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = calibrated_recipe("scheme: FP8, targets: [lm_head]")});
  const WrittenCheckpoint written(folder.path() / "out");
  EXPECT_TRUE(written.spec("lm_head.input_scale").has_value());
}

}  // namespace
}  // namespace oneshot
