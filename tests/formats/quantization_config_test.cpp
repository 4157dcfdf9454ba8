// Groups, targets and ignore lists that every reader resolves as we do.
#include "formats/compressed_tensors/quantization_config.h"

#include <gmock/gmock.h>

#include "engine/error.h"

namespace oneshot {
namespace {

using nlohmann::json;

PlannedModule& add(Plan& plan,
                   const std::string& name,
                   const char* preset,
                   std::vector<std::string> targets) {
  PlannedModule& module = plan.modules.emplace_back();
  module.name = name;
  module.kind = ModuleKind::Linear;
  if (preset != nullptr) {
    module.scheme = find_preset(preset);
  }
  module.targets = std::move(targets);
  return module;
}

json config_of(const Plan& plan) {
  return compressed_tensors::quantization_config(plan);
}

TEST(QuantizationConfig, SchemesOfOneModelShareItByTheirTargets) {
  Plan plan;
  add(plan, "a.q_proj", "FP8_DYNAMIC", {"re:.*q_proj"});
  add(plan, "a.up_proj", "W4A16", {"Linear"});
  add(plan, "lm_head", nullptr, {});
  const json config = config_of(plan);
  EXPECT_EQ(config["format"], "mixed-precision");
  EXPECT_EQ(config["config_groups"]["group_0"]["targets"], json({"re:.*q_proj"}));
  EXPECT_EQ(config["config_groups"]["group_0"]["format"], "float-quantized");
  EXPECT_EQ(config["config_groups"]["group_1"]["targets"], json({"Linear"}));
  EXPECT_EQ(config["config_groups"]["group_1"]["format"], "pack-quantized");
  EXPECT_EQ(config["ignore"], json({"lm_head"}));
}

TEST(QuantizationConfig, TargetsThatReadersCouldMistakeBecomeNames) {
  // The first group's regex fits both modules, and readers prefer it to the class.
  Plan plan;
  add(plan, "a.q_proj", "FP8_DYNAMIC", {"re:a.*"});
  add(plan, "a.up_proj", "W4A16", {"Linear"});
  const json config = config_of(plan);
  EXPECT_EQ(config["config_groups"]["group_0"]["targets"], json({"a.q_proj"}));
  EXPECT_EQ(config["config_groups"]["group_1"]["targets"], json({"a.up_proj"}));
}

TEST(QuantizationConfig, ARegexThatFitsOnlyOneOfTheNamesBecomesNames) {
  Plan plan;
  add(plan, "vision_model.fc1", "FP8_DYNAMIC", {"re:vision_model.*"}).aliases = {
      "model.vision_model.fc1"};
  EXPECT_EQ(config_of(plan)["config_groups"]["group_0"]["targets"],
            json({"vision_model.fc1", "model.vision_model.fc1"}));
}

TEST(QuantizationConfig, WhatStaysIsListedUnderOldAndNewNames) {
  // Transformers 5.17 looks for the new names only, and quantizes the vision tower without them.
  Plan plan;
  add(plan, "language_model.model.layers.0.q_proj", "FP8_DYNAMIC", {"Linear"});
  add(plan, "vision_model.fc1", nullptr, {}).aliases = {"model.vision_model.fc1"};
  add(plan, "language_model.lm_head", nullptr, {}).aliases = {"lm_head"};
  EXPECT_EQ(
      config_of(plan)["ignore"],
      json({"vision_model.fc1", "model.vision_model.fc1", "language_model.lm_head", "lm_head"}));
}

TEST(QuantizationConfig, TwoGroupsOfOneClassBecomeNames) {
  Plan plan;
  add(plan, "a.q_proj", "FP8_DYNAMIC", {"Linear"});
  add(plan, "b.q_proj", "W4A16", {"Linear"});
  const json config = config_of(plan);
  EXPECT_EQ(config["config_groups"]["group_0"]["targets"], json({"a.q_proj"}));
  EXPECT_EQ(config["config_groups"]["group_1"]["targets"], json({"b.q_proj"}));
}

TEST(QuantizationConfig, RoutersThatStayAreListed) {
  Plan plan;
  add(plan, "a.q_proj", "FP8_DYNAMIC", {"Linear"});
  add(plan, "a.mlp.gate", nullptr, {}).kind = ModuleKind::Router;
  add(plan, "embed", nullptr, {}).kind = ModuleKind::Embedding;
  EXPECT_EQ(config_of(plan)["ignore"], json({"a.mlp.gate"}));
}

TEST(QuantizationConfig, EveryPresetIsReadBackAsItWas) {
  for (const Preset& preset : presets()) {
    Plan plan;
    add(plan, "a.q_proj", preset.scheme.name.c_str(), {"Linear"});
    const Scheme back = compressed_tensors::scheme_of(config_of(plan), "a.q_proj");
    EXPECT_EQ(back.weights, preset.scheme.weights) << preset.scheme.name;
    EXPECT_EQ(back.input_activations, preset.scheme.input_activations) << preset.scheme.name;
  }
}

TEST(QuantizationConfig, DamageIsACheckpointError) {
  for (const char* text :
       {"{}",
        R"({"config_groups": []})",
        R"({"config_groups": {"g": {"targets": ["Linear"]}}})",
        R"({"config_groups": {"g": {"targets": 5, "weights": {}}}})",
        R"({"config_groups": {"g": {"targets": ["Linear"], "weights": {"type": "complex"}}}})",
        R"({"config_groups": {"g": {"targets": ["Linear"], "weights": {"num_bits": "x"}}}})",
        R"({"config_groups": {"g": {"targets": ["Linear"], "weights": {"num_bits": 99}}}})"}) {
    try {
      compressed_tensors::scheme_of(json::parse(text), "a");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Checkpoint) << text;
    }
  }
}

}  // namespace
}  // namespace oneshot
