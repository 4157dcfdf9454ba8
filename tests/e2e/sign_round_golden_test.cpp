// Whole runs against what auto-round wrote with iters 0 and disable_opt_rtn: every byte of the
// tensors.
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
}

INSTANTIATE_TEST_SUITE_P(
    Cases,
    SignRoundGolden,
    testing::Values(Case{"ar_rtn_w4g128__llm_compressor", "scheme: W4A16", "compressed_tensors"},
                    Case{"ar_rtn_mxfp4__llm_compressor", "scheme: MXFP4", "compressed_tensors"}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace oneshot
