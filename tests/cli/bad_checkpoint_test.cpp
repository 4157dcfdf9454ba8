// Damaged checkpoints from the outside: exit 3, one line that names the file, no output, no crash.
#include <gmock/gmock.h>

#include <algorithm>
#include <functional>

#include "tests/support/process.h"
#include "tests/support/safetensors_file.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

struct Damage {
  const char* name;
  const char* mentions;  // in the message
  std::function<void(const fs::path& model)> apply;
};

void with_header(const fs::path& model, const std::string& json, size_t data_bytes = 16) {
  write_file(model / "model.safetensors", safetensors_bytes(json, std::string(data_bytes, 'x')));
}

std::string tensor_json(const std::string& name,
                        const std::string& shape,
                        const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":"BF16","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}";
}

const std::vector<Damage>& damages() {
  static const std::vector<Damage> kDamages{
      {"truncated",
       "model.safetensors",
       [](const fs::path& m) { fs::resize_file(m / "model.safetensors", 4'000'000); }},
      {"empty",
       "model.safetensors",
       [](const fs::path& m) { fs::resize_file(m / "model.safetensors", 0); }},
      {"seven_bytes",
       "model.safetensors",
       [](const fs::path& m) { fs::resize_file(m / "model.safetensors", 7); }},
      {"trailing_bytes",
       "model.safetensors",
       [](const fs::path& m) { std::ofstream(m / "model.safetensors", std::ios::app) << "more"; }},
      {"huge_header",
       "model.safetensors",
       [](const fs::path& m) { write_file(m / "model.safetensors", length_bytes(~0ULL) + "{}"); }},
      {"not_json", "model.safetensors", [](const fs::path& m) { with_header(m, "{nonsense"); }},
      {"deep_json",
       "model.safetensors",
       [](const fs::path& m) { with_header(m, std::string(100'000, '[')); }},
      {"bad_utf8",
       "model.safetensors",
       [](const fs::path& m) { with_header(m, "{\"\xFF\xFE\":1}"); }},
      {"overlap",
       "'b'",
       [](const fs::path& m) {
         with_header(m,
                     "{" + tensor_json("a", "[4]", "[0,8]") + "," +
                         tensor_json("b", "[6]", "[4,16]") + "}");
       }},
      {"twice",
       "'a'",
       [](const fs::path& m) {
         with_header(m,
                     "{" + tensor_json("a", "[4]", "[0,8]") + "," +
                         tensor_json("a", "[4]", "[8,16]") + "}");
       }},
      {"wrong_size",
       "'a'",
       [](const fs::path& m) { with_header(m, "{" + tensor_json("a", "[7]", "[0,16]") + "}"); }},
      {"exabytes",
       "'a'",
       [](const fs::path& m) {
         with_header(
             m, "{" + tensor_json("a", "[1152921504606846976]", "[0,2305843009213693952]") + "}");
       }},
      {"negative",
       "'a'",
       [](const fs::path& m) { with_header(m, "{" + tensor_json("a", "[-8]", "[0,16]") + "}"); }},
      {"config_missing", "config.json", [](const fs::path& m) { fs::remove(m / "config.json"); }},
      {"config_not_json",
       "config.json",
       [](const fs::path& m) { write_file(m / "config.json", "{"); }},
      {"config_no_object",
       "config.json",
       [](const fs::path& m) { write_file(m / "config.json", "[1]"); }},
      {"index_missing_file",
       "model-00001-of-00002.safetensors",
       [](const fs::path& m) {
         write_file(m / "model.safetensors.index.json",
                    R"({"weight_map":{"model.norm.weight":"model-00001-of-00002.safetensors"}})");
       }},
      {"index_not_json",
       "model.safetensors.index.json",
       [](const fs::path& m) { write_file(m / "model.safetensors.index.json", "oops"); }},
      {"index_other_shard",
       "lm_head.weight",
       [](const fs::path& m) {
         write_file(m / "other.safetensors", weights_named({"x"}));
         write_file(
             m / "model.safetensors.index.json",
             R"({"weight_map":{"x":"other.safetensors","lm_head.weight":"other.safetensors"}})");
       }},
      {"index_outside",
       "index.json",
       [](const fs::path& m) {
         write_file(m / "model.safetensors.index.json",
                    R"({"weight_map":{"x":"../../etc/passwd"}})");
       }},
      {"no_weights", "model", [](const fs::path& m) { fs::remove(m / "model.safetensors"); }},
      {"weights_are_a_folder",
       "no weights found",
       [](const fs::path& m) {
         fs::remove(m / "model.safetensors");
         fs::create_directory(m / "model.safetensors");
       }},
  };
  return kDamages;
}

class BadCheckpoint : public testing::TestWithParam<size_t> {};

TEST_P(BadCheckpoint, IsOneClearLine) {
  const Damage& damage = damages()[GetParam()];
  const TemporaryFolder folder;
  const fs::path model = folder.path() / "model";
  fs::copy(ONESHOT_EXAMPLE_MODELS "/tiny-llama", model);
  for (const auto& entry : fs::directory_iterator(model)) {
    fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
  }
  damage.apply(model);
  write_file(folder.path() / "recipe.yaml",
             "version: 1\nmodifiers:\n  - quantize: {scheme: W4A16, allow_unmatched: true}\n");
  const ProcessResult result =
      run_oneshot(folder, {"run", "recipe.yaml", "--model", "model", "--output", "out"});
  EXPECT_EQ(result.exit_code, 3) << result.error;
  EXPECT_EQ(std::count(result.error.begin(), result.error.end(), '\n'), 1) << result.error;
  EXPECT_THAT(result.error, testing::HasSubstr(damage.mentions));
  EXPECT_EQ(result.out, "");
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
  EXPECT_FALSE(fs::exists(folder.path() / ".out.oneshot"));
}

INSTANTIATE_TEST_SUITE_P(Damages,
                         BadCheckpoint,
                         testing::Range<size_t>(0, damages().size()),
                         [](const auto& tested) {
                           return std::string(damages()[tested.param].name);
                         });

}  // namespace
}  // namespace oneshot
