// Whole runs against what auto-round wrote with iters 0 and disable_opt_rtn: every byte of the
// tensors, and config.json but for the keys that say how and by which release.
#include <gtest/gtest.h>

#include "engine/checkpoint/sha256.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

struct Case {
  const char* name;
  const char* options;
  const char* format;
};

/// For the names in the list of tests.
void PrintTo(const Case& tested, std::ostream* out) {
  *out << tested.name;
}

/// config.json without what another release or way of working would change.
nlohmann::json config_of(const std::filesystem::path& file) {
  nlohmann::json config = nlohmann::json::parse(read_file(file));
  for (const char* key : {"autoround_version",
                          "iters",
                          "enable_quanted_input",
                          "static_attention_granularity",
                          "static_kv_granularity"}) {
    config["quantization_config"].erase(key);
  }
  return config;
}

class SignRoundGolden : public testing::TestWithParam<Case> {};

TEST_P(SignRoundGolden, WritesTheTensorsOfThePeer) {
  const TemporaryFolder folder;
  run_recipe(folder,
             {.recipe = std::string("version: 1\nmodifiers:\n  - sign_round: {iterations: 0, ") +
                        GetParam().options + ", ignore: [lm_head]}\noutput: {formats: [" +
                        GetParam().format + "]}\n"});
  const auto golden = std::filesystem::path(ONESHOT_TEST_DATA) / "golden" / GetParam().name;
  const auto expected = nlohmann::json::parse(read_file(golden / "tensors.json"));
  const auto written = tensor_bytes_of(folder.path() / "out/model.safetensors");
  EXPECT_EQ(written.size(), expected["tensors"].size());
  for (const auto& [name, tensor] : expected["tensors"].items()) {
    ASSERT_TRUE(written.contains(name)) << name;
    EXPECT_EQ(sha256_hex(written.at(name)), tensor["sha256"]) << name;
  }
  if (std::string(GetParam().format) == "compressed_tensors") {
    return;  // one config whichever modifier made the codes: that of golden_run_test
  }
  const nlohmann::json config = config_of(folder.path() / "out/config.json");
  EXPECT_EQ(config, config_of(golden / "config.json"));
  nlohmann::json beside =
      nlohmann::json::parse(read_file(folder.path() / "out/quantization_config.json"));
  beside.erase("autoround_version");
  EXPECT_EQ(beside, config["quantization_config"]);
}

INSTANTIATE_TEST_SUITE_P(
    Cases,
    SignRoundGolden,
    testing::Values(Case{"ar_rtn_w4g128__llm_compressor", "scheme: W4A16", "compressed_tensors"},
                    Case{"ar_rtn_w4g128__auto_round", "scheme: W4A16", "auto_round"},
                    Case{"ar_rtn_w4g128__auto_gptq", "scheme: W4A16", "auto_gptq"},
                    Case{"ar_rtn_w4g128__auto_awq", "scheme: W4A16", "auto_awq"},
                    Case{"ar_rtn_w4g128_asym__auto_round", "scheme: W4A16_ASYM", "auto_round"},
                    Case{"ar_rtn_w4g128_asym__auto_awq", "scheme: W4A16_ASYM", "auto_awq"},
                    Case{"ar_rtn_w2g32__auto_round", "scheme: W2A16, group_size: 32", "auto_round"},
                    Case{"ar_rtn_mxfp4__llm_compressor", "scheme: MXFP4", "compressed_tensors"}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace oneshot
