// Plans: what every module becomes, and that the planned bytes are the written ones.
#include <gmock/gmock.h>

#include <algorithm>

#include "engine/error.h"
#include "tests/support/expect_error.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

struct Planned {
  std::unique_ptr<SourceCheckpoint> source;
  Job job;
  Plan plan;

  const PlannedModule& module(const std::string& name) const {
    return *std::find_if(plan.modules.begin(), plan.modules.end(), [&](const PlannedModule& m) {
      return m.name == name;
    });
  }
};

Planned plan_of(const std::string& recipe,
                const fs::path& model,
                std::optional<uint64_t> memory = {},
                int threads = 2) {
  const TemporaryFolder folder;
  Planned planned;
  planned.source = std::make_unique<SourceCheckpoint>(model);
  planned.job = job_of(folder, recipe);
  planned.plan = plan_job(planned.job, *planned.source, threads, memory);
  return planned;
}

std::vector<std::string> quantized_of(const Plan& plan, const std::string& scheme) {
  std::vector<std::string> names;
  for (const PlannedModule& module : plan.modules) {
    if (module.scheme && module.scheme->name == scheme) {
      names.push_back(module.name);
    }
  }
  return names;
}

TEST(Plan, ItsBytesAreTheWrittenOnes) {
  for (const char* options : {"scheme: W4A16_ASYM, group_size: 64, ignore: [lm_head]",
                              "scheme: W3A16, ignore: [lm_head]",
                              "scheme: NVFP4A16, ignore: [lm_head]",
                              "scheme: FP8_BLOCK, ignore: [lm_head]"}) {
    const TemporaryFolder folder;
    const std::string recipe = quantize_recipe(options) + "output: {shard_size: 700000}\n";
    const Planned planned = plan_of(recipe, tiny_llama());
    run_recipe(folder, {.recipe = recipe});
    uint64_t written = 0;
    for (const OutputShard& shard : planned.plan.outputs.front().layout.shards()) {
      EXPECT_EQ(fs::file_size(folder.path() / "out" / shard.file), shard.bytes);
      written += shard.bytes;
    }
    EXPECT_EQ(planned.plan.output_bytes(), written);
    EXPECT_GT(planned.plan.outputs.front().layout.shards().size(), 2U);
    uint64_t tensor_bytes = 0;
    for (const PlannedModule& module : planned.plan.modules) {
      tensor_bytes += module.bytes_after;
    }
    for (const OutputShard& shard : planned.plan.outputs.front().layout.shards()) {
      tensor_bytes += shard.header.size();
    }
    EXPECT_EQ(tensor_bytes, written) << options;
  }
}

TEST(Plan, TheVisionRecipeTakesTheLanguageBlocksOnly) {
  const std::string recipe =
      read_file(fs::path(ONESHOT_RECIPE_LIBRARY) / "llama-3.2-11b-vision-fp8-dynamic.yaml");
  const Planned planned = plan_of(recipe, test_model("mllama"));
  const auto names = quantized_of(planned.plan, "FP8_DYNAMIC");
  EXPECT_EQ(names.size(), 21U);  // 3 layers of 4 + 3
  for (const std::string& name : names) {
    EXPECT_THAT(name, testing::StartsWith("language_model.model.layers."));
  }
  EXPECT_EQ(planned.module("multi_modal_projector").rule, "ignore 're:multi_modal_projector.*'");
  EXPECT_EQ(planned.module("language_model.lm_head").rule, "ignore 're:.*lm_head'");
}

TEST(Plan, TwoModifiersShareARecipeButNoModule) {
  const std::string both =
      "version: 1\nmodifiers:\n"
      "  - quantize: {scheme: FP8_DYNAMIC, targets: ['re:vision_tower.*']}\n"
      "  - quantize: {scheme: W4A16, group_size: 32, targets: ['re:language_model.model.*']}\n";
  const Planned planned = plan_of(both, test_model("llava_hf"));
  EXPECT_EQ(quantized_of(planned.plan, "FP8_DYNAMIC").size(), 18U);
  EXPECT_EQ(quantized_of(planned.plan, "W4A16").size(), 14U);
  EXPECT_EQ(planned.module("multi_modal_projector.linear_1").rule, "no target fits");

  const std::string overlapping =
      "version: 1\nmodifiers:\n"
      "  - quantize: {scheme: FP8_DYNAMIC, targets: ['re:.*mlp.fc1']}\n"
      "  - quantize: {scheme: W8A16, group_size: 32, targets: ['re:vision_tower.*']}\n";
  EXPECT_EQ(error_message(ErrorCode::Recipe, [&] { plan_of(overlapping, test_model("llava_hf")); }),
            "vision_tower.vision_model.encoder.layers.0.mlp.fc1: modifiers.1 (quantize) and "
            "modifiers.0 (quantize) "
            "both quantize it; a module can be quantized once: narrow targets or ignore");
}

TEST(Plan, DifferentSchemesInAFusedSetAreWarnedOf) {
  const Planned planned = plan_of(
      quantize_recipe("scheme: W4A16, ignore: [lm_head, 're:.*layers.0.*q_proj']"), tiny_llama());
  EXPECT_THAT(planned.plan.warnings,
              testing::ElementsAre("vLLM loads these modules as one and refuses different schemes: "
                                   "model.layers.0.self_attn.q_proj (floating point), "
                                   "model.layers.0.self_attn.k_proj (W4A16), "
                                   "model.layers.0.self_attn.v_proj (W4A16)"));
}

TEST(Plan, APartlyTargetedNvfp4SetIsRefused) {
  EXPECT_EQ(
      error_message(ErrorCode::Recipe,
                    [] {
                      plan_of(quantize_recipe(
                                  "scheme: NVFP4A16, ignore: [lm_head, 're:.*layers.0.*up_proj']"),
                              tiny_llama());
                    }),
      "model.layers.0.mlp.gate_proj: NVFP4A16 shares one global scale among modules that are "
      "loaded as one, but "
      "only some of them have it: model.layers.0.mlp.gate_proj (NVFP4A16), "
      "model.layers.0.mlp.up_proj (floating "
      "point); target or ignore all of them");
}

TEST(Plan, GroupsThatDoNotDivideAreRefusedWithTheModuleAndAWayOut) {
  EXPECT_EQ(error_message(ErrorCode::Unsupported,
                          [] {
                            plan_of(
                                quantize_recipe("scheme: W4A16, group_size: 96, ignore: [lm_head]"),
                                tiny_llama());
                          }),
            "model.layers.0.self_attn.q_proj: compressed_tensors cannot hold it: its 256 columns "
            "do not divide into "
            "groups of 96; choose a group_size that divides them; `fp_layers: "
            "[model.layers.0.self_attn.q_proj]` keeps "
            "it in floating point");
}

TEST(Plan, AModifierLeftWithoutAModuleIsRefused) {
  EXPECT_EQ(error_message(
                ErrorCode::Recipe,
                [] { plan_of(quantize_recipe("scheme: W4A16, ignore: [Linear]"), tiny_llama()); }),
            "quantize: no module is left to quantize; look at its targets, ignore and fp_layers "
            "with `oneshot plan`");
}

TEST(Plan, ATiedHeadCannotBeQuantized) {
  const TemporaryFolder folder;
  fs::copy(tiny_llama(), folder.path() / "model");
  auto config = nlohmann::json::parse(read_file(tiny_llama() / "config.json"));
  config["tie_word_embeddings"] = true;
  write_file(folder.path() / "model/config.json", config.dump());
  EXPECT_EQ(
      error_message(ErrorCode::Unsupported,
                    [&] { plan_of(quantize_recipe("scheme: W4A16"), folder.path() / "model"); }),
      "lm_head: it shares the embedding's tensor (tied), which cannot be quantized; add 'lm_head' "
      "to ignore");
}

TEST(Plan, StaticSchemesNeedCalibration) {
  for (const std::string options :
       {"scheme: FP8", "scheme: NVFP4", "scheme: W8A8, kv_cache_scheme: FP8"}) {
    EXPECT_THAT(
        error_message(ErrorCode::Recipe, [&] { plan_of(quantize_recipe(options), tiny_llama()); }),
        testing::HasSubstr("the recipe needs `calibration:`"));
    const std::string calibrated =
        quantize_recipe(options) + "calibration: {dataset: not_opened.jsonl, samples: 64}\n";
    EXPECT_GT(plan_of(calibrated, tiny_llama()).plan.output_bytes(), 0U);
  }
}

TEST(Plan, MemoryIsKeptOrRefused) {
  const std::string recipe = quantize_recipe("scheme: W4A16, ignore: [lm_head]");
  const Planned free = plan_of(recipe, tiny_llama());
  const Planned tight = plan_of(recipe, tiny_llama(), free.plan.peak_memory_bytes - 1);
  EXPECT_LT(tight.plan.slice_bytes, free.plan.slice_bytes);
  EXPECT_LT(tight.plan.peak_memory_bytes, free.plan.peak_memory_bytes);
  EXPECT_LE(plan_of(recipe, tiny_llama(), {}, 256).plan.peak_memory_bytes, uint64_t{1} << 30);
  EXPECT_THAT(error_message(ErrorCode::Resource, [&] { plan_of(recipe, tiny_llama(), 1 << 20); }),
              testing::StartsWith("--memory 1048576: this run needs "));
}

constexpr const char* kCalibration =
    "version: 1\ncalibration: {dataset: " ONESHOT_TEST_DATA
    "/calibration/calib_ids.jsonl, samples: 64, sequence_length: 256}\nmodifiers:\n";

TEST(Plan, OnlyABudgetMakesTuningTakeFewerSamplesAtATime) {
  const std::string recipe =
      std::string(kCalibration) + "  - sign_round: {scheme: W4A16, ignore: [lm_head]}\n";
  const Plan plan = plan_of(recipe, tiny_llama()).plan;
  EXPECT_EQ(plan.samples_at_once, 8u);
  uint64_t parts = 0;
  for (const MemoryPart& part : plan.memory) {
    parts += part.bytes;
  }
  EXPECT_EQ(parts, plan.peak_memory_bytes);
  const uint64_t budget = plan.peak_memory_bytes - plan.state_memory_bytes - (1 << 20);
  const Plan smaller = plan_of(recipe, tiny_llama(), budget).plan;
  EXPECT_LT(smaller.samples_at_once, 8u);
  EXPECT_LE(smaller.peak_memory_bytes, budget);
}

TEST(Plan, ModifiersThatTuneLearnFromOneStream) {
  const std::string recipe =
      std::string(kCalibration) +
      "  - sign_round: {scheme: W4A16, targets: ['re:.*mlp.*']}\n"
      "  - sign_round: {scheme: W4A16, targets: ['re:.*self_attn.*'], quantized_input: false}\n";
  expect_error(ErrorCode::Recipe,
               "sign_round: all modifiers of a recipe that tune need the same quantized_input",
               [&] { plan_of(recipe, tiny_llama()); });
}

TEST(Plan, FormatsThatTransposeGatherBands) {
  const std::string recipe =
      quantize_recipe("scheme: W4A16, ignore: [lm_head], scale_dtype: float16");
  const Planned plain = plan_of(recipe, tiny_llama());
  const std::string formats = "output: {formats: [auto_round, auto_awq]}\n";
  const Planned transposed = plan_of(recipe + formats, tiny_llama());
  EXPECT_EQ(transposed.plan.peak_memory_bytes - plain.plan.peak_memory_bytes,
            4 * transposed.plan.band_bytes);  // two bands an output
  const uint64_t tight = transposed.plan.peak_memory_bytes - 1;
  EXPECT_LT(plan_of(recipe + formats, tiny_llama(), tight).plan.band_bytes,
            transposed.plan.band_bytes);
}

}  // namespace
}  // namespace oneshot
