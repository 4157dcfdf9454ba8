// Whole runs against what llm-compressor wrote: every byte of the weights, and config.json.
#include <gtest/gtest.h>

#include "engine/checkpoint/sha256.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

struct Case {
  const char* name;
  const char* scheme;
};

/// For the names in the list of tests.
void PrintTo(const Case& tested, std::ostream* out) {
  *out << tested.name;
}

class GoldenRun : public testing::TestWithParam<Case> {};

TEST_P(GoldenRun, WritesTheBytesOfThePeer) {
  const TemporaryFolder folder;
  run_recipe(folder,
             {.recipe = quantize_recipe(std::string("scheme: ") + GetParam().scheme +
                                        ", ignore: [lm_head]")});
  const std::filesystem::path golden =
      std::filesystem::path(ONESHOT_TEST_DATA) / "golden" / GetParam().name;
  const auto expected = nlohmann::json::parse(read_file(golden / "tensors.json"));
  const auto written = tensor_bytes_of(folder.path() / "out/model.safetensors");
  EXPECT_EQ(written.size(), expected["tensors"].size());
  for (const auto& [name, tensor] : expected["tensors"].items()) {
    ASSERT_TRUE(written.contains(name)) << name;
    EXPECT_EQ(sha256_hex(written.at(name)), tensor["sha256"]) << name;
  }
  EXPECT_EQ(sha256_file_hex(folder.path() / "out/model.safetensors"), expected["file_sha256"]);
  EXPECT_EQ(read_file(folder.path() / "out/config.json"), read_file(golden / "config.json"));
}

INSTANTIATE_TEST_SUITE_P(Schemes,
                         GoldenRun,
                         testing::Values(Case{"lc_fp8_dynamic", "FP8_DYNAMIC"},
                                         Case{"lc_fp8_block", "FP8_BLOCK"},
                                         Case{"lc_w3a16", "W3A16"},
                                         Case{"lc_w4a16", "W4A16"},
                                         Case{"lc_w4a16_asym", "W4A16_ASYM"},
                                         Case{"lc_w8a16", "W8A16"},
                                         Case{"lc_w8a8_int8", "W8A8"},
                                         Case{"lc_nvfp4a16", "NVFP4A16"},
                                         Case{"lc_mxfp4a16", "MXFP4A16"}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace oneshot
