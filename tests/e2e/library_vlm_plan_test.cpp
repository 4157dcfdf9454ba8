// Recipes of the library for models that read images, planned against the names, shapes and sizes
// of the published checkpoints: what is quantized, the bytes that are written, the memory.
#include <gmock/gmock.h>

#include "tests/e2e/library_vlm_recipes.h"

namespace oneshot {
namespace {

constexpr uint64_t kMemory = 24ULL << 30;
constexpr int kThreads = 2;

uint64_t header_bytes(const OutputLayout& layout) {
  uint64_t bytes = 0;
  for (const OutputShard& shard : layout.shards()) {
    bytes += shard.header.size();
  }
  return bytes;
}

uint64_t file_bytes(const OutputLayout& layout) {
  uint64_t bytes = 0;
  for (const OutputShard& shard : layout.shards()) {
    bytes += shard.bytes;
  }
  return bytes;
}

/// Bytes of a weight [out, in] in an output.
using WeightBytes = uint64_t (*)(uint64_t out, uint64_t in);

// Four bits a code; a scale of two bytes and a zero point of four bits for each 128 columns.
uint64_t auto_round_bytes(uint64_t out, uint64_t in) {
  return out * in / 2 + out * (in / 128) * 2 + out * (in / 128) / 2;
}
// And the group of each column, in four bytes.
uint64_t auto_gptq_bytes(uint64_t out, uint64_t in) {
  return auto_round_bytes(out, in) + 4 * in;
}
// A byte a code, a scale of two bytes for each row.
uint64_t float8_bytes(uint64_t out, uint64_t in) {
  return out * in + 2 * out;
}

class Planned {
 public:
  explicit Planned(const VlmRecipe& recipe) : recipe_(recipe), published_(recipe.published()) {
    write_sparse(published_, folder_.path());
    source_.emplace(folder_.path());
    job_ = library_job(recipe);
    plan_ = plan_job(job_, *source_, kThreads, kMemory);
  }

  const Plan& plan() const { return plan_; }
  const TrueCheckpoint& published() const { return published_; }

  /// rules: one of them is that of each quantized module.
  void expect_modules(const std::vector<std::string>& rules) const {
    size_t quantized = 0;
    for (const PlannedModule& module : plan_.modules) {
      const bool expected = recipe_.quantizes(module.name);
      EXPECT_EQ(module.scheme.has_value(), expected) << module.name << ": " << module.rule;
      if (module.scheme) {
        ++quantized;
        EXPECT_THAT(rules, testing::Contains(module.rule)) << module.name;
      }
    }
    EXPECT_EQ(quantized, recipe_.published_modules);
  }

  void expect_bytes(size_t output, WeightBytes weight_bytes) const {
    uint64_t bytes = 0;
    for (const auto& [name, shape] : published_.tensors) {
      bytes += recipe_.quantizes(module_of_weight(name))
                   ? weight_bytes(static_cast<uint64_t>(shape[0]), static_cast<uint64_t>(shape[1]))
                   : *tensor_bytes(published_.dtype, shape);
    }
    const OutputLayout& layout = plan_.outputs.at(output).layout;
    EXPECT_EQ(file_bytes(layout) - header_bytes(layout), bytes) << output;
  }

 private:
  const VlmRecipe recipe_;
  const TemporaryFolder folder_;
  TrueCheckpoint published_;
  std::optional<SourceCheckpoint> source_;
  Job job_;
  Plan plan_;
};

class LibraryPlan : public testing::TestWithParam<VlmRecipe> {};

TEST_P(LibraryPlan, TakesTheLinearsOfThePublishedBlocks) {
  const Planned planned(GetParam());
  planned.expect_modules({"Linear of a language block", "Linear of a vision block"});
  planned.expect_bytes(0, auto_round_bytes);
  ASSERT_EQ(planned.plan().outputs.size(), GetParam().writes_both() ? 2U : 1U);
  if (GetParam().writes_both()) {
    EXPECT_EQ(planned.plan().outputs[0].folder, "auto_round");
    EXPECT_EQ(planned.plan().outputs[1].folder, "auto_gptq");
    planned.expect_bytes(1, auto_gptq_bytes);
  }
  EXPECT_LE(planned.plan().peak_memory_bytes, kMemory);
  EXPECT_EQ(planned.plan().samples_at_once, 8U);  // a whole batch
}

INSTANTIATE_TEST_SUITE_P(Recipes,
                         LibraryPlan,
                         testing::ValuesIn(sign_round_recipes()),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(LibraryPlan, Float8TakesTheLinearsOfThePublishedBlocks) {
  const Planned planned(float8_recipe());
  planned.expect_modules({"target 'Linear'"});
  planned.expect_bytes(0, float8_bytes);
  EXPECT_LT(planned.plan().peak_memory_bytes, kMemory);
}

// Parameters that are published for them; of CogVLM2 half the total_size of its index, in which 32
// blocks of 64 frequencies are among them.
TEST(LibraryPlan, TheShapesAddUpToThePublishedParameters) {
  EXPECT_EQ(true_mllama_11b().values(), 10'670'220'835U);
  EXPECT_EQ(true_llava_hf_7b().values(), 7'063'427'072U);
  EXPECT_EQ(true_qwen2_vl_7b().values(), 8'291'375'616U);
  EXPECT_EQ(true_phi3_v().values(), 4'146'621'440U);
  EXPECT_EQ(true_cogvlm2_19b().values(), 39'006'214'656U / 2);
}

}  // namespace
}  // namespace oneshot
