// Configs of auto_round, auto_gptq and auto_awq that are read, ours and others'.
#include <gmock/gmock.h>

#include "engine/error.h"
#include "formats/registry.h"

namespace oneshot {
namespace {

using nlohmann::json;

std::unique_ptr<Format> format_named(const std::string& name) {
  for (const FormatEntry& entry : formats()) {
    if (name == entry.name) {
      return entry.make();
    }
  }
  throw std::runtime_error("no format " + name);
}

json config(const char* quantization_config) {
  return {{"quantization_config", json::parse(quantization_config)}};
}

std::string refusal(const std::string& format, const json& config) {
  try {
    format_named(format)->scheme(config, "a.q_proj");
  } catch (const Error& error) {
    return std::to_string(error.exit_code()) + " " + error.what();
  }
  return "nothing was refused";
}

TEST(IntegerConfigs, EachFormatKnowsItsOwn) {
  const std::vector<std::pair<std::string, json>> own{
      {"auto_round", config(R"({"quant_method": "auto-round"})")},
      {"auto_gptq", config(R"({"quant_method": "gptq"})")},
      {"auto_awq", config(R"({"quant_method": "awq"})")},
      {"compressed_tensors", config(R"({"quant_method": "compressed-tensors"})")},
      {"", config(R"({"quant_method": 5})")},
      {"", json::object()},
      {"", json{{"quantization_config", "gptq"}}}};
  for (const FormatEntry& entry : formats()) {
    for (const auto& [name, file] : own) {
      EXPECT_EQ(entry.make()->recognizes(file), entry.name == name) << entry.name << file;
    }
  }
}

TEST(IntegerConfigs, ModulesMayDiffer) {
  const json file = config(R"({"bits": 4, "group_size": 128, "sym": true,
    "packing_format": "auto_round:auto_gptq",
    "extra_config": {"a.q_proj": {"bits": 8}, ".*k_proj": {"group_size": -1}}})");
  const auto format = format_named("auto_round");
  EXPECT_EQ(format->scheme(file, "a.q_proj").weights.bits, 8);
  EXPECT_EQ(format->scheme(file, "a.q_proj").weights.group_size, 128);
  EXPECT_EQ(format->scheme(file, "a.k_proj").weights.strategy, Strategy::Channel);
  const Scheme common = format->scheme(file, "a.v_proj");
  EXPECT_EQ(common.name, "W4A16");
  EXPECT_EQ(common.weights.scale_dtype, ScaleDtype::F16);
  const json gptq = config(R"({"bits": 4, "group_size": 128,
    "dynamic": {"-:.*k_proj": {}, "+:.*q_proj": {"bits": 8}}})");
  EXPECT_EQ(format_named("auto_gptq")->scheme(gptq, "a.q_proj").weights.bits, 8);
  EXPECT_EQ(format_named("auto_gptq")->scheme(gptq, "a.v_proj").weights.bits, 4);
}

TEST(IntegerConfigs, AwqOfOthersSaysSymmetryByZeroPoint) {
  const auto symmetric = [](const char* text) {
    return format_named("auto_awq")->scheme(config(text), "a").weights.symmetric;
  };
  EXPECT_FALSE(symmetric(R"({"bits": 4, "group_size": 128, "zero_point": true})"));
  EXPECT_TRUE(symmetric(R"({"bits": 4, "group_size": 128, "zero_point": false})"));
  EXPECT_FALSE(symmetric(R"({"bits": 4, "group_size": 128, "version": "gemm"})"));
}

TEST(IntegerConfigs, PackingsThatWouldBeReadWronglyAreRefused) {
  EXPECT_EQ(
      refusal("auto_round", config(R"({"sym": false, "packing_format": "auto_round:auto_gptq"})")),
      "4 config.json: quantization_config: packing_format \"auto_round:auto_gptq\" with int4 "
      "group 128 asymmetric cannot be read; auto_round:auto_awq can");
  EXPECT_THAT(refusal("auto_round", config(R"({"packing_format": "auto_round:llm_compressor"})")),
              testing::StartsWith("4 "));
  EXPECT_EQ(
      refusal("auto_gptq", config(R"({"checkpoint_format": "gptq_v2"})")),
      "4 config.json: quantization_config: checkpoint_format \"gptq_v2\" cannot be read; gptq "
      "can");
  EXPECT_EQ(refusal("auto_awq", config(R"({"version": "gemv"})")),
            "4 config.json: quantization_config: version \"gemv\" of awq cannot be read; gemm can");
  // The constant of symmetric zero points is all that gptqmodel's packing has of its own.
  EXPECT_EQ(refusal("auto_round", config(R"({"packing_format": "auto_round:gptqmodel"})")),
            "nothing was refused");
}

TEST(IntegerConfigs, DamageIsACheckpointError) {
  for (const char* text :
       {R"({"bits": "x"})", R"({"bits": 99})", R"({"group_size": 0})", R"({"sym": 3})"}) {
    for (const char* format : {"auto_round", "auto_gptq", "auto_awq"}) {
      EXPECT_THAT(refusal(format, config(text)),
                  testing::StartsWith("3 config.json: quantization_config: "))
          << text;
    }
  }
  EXPECT_THAT(refusal("auto_round", config(R"({"extra_config": {"a.q_proj": 8}})")),
              testing::StartsWith("3 "));
}

/// A vision language model whose language blocks are quantized, but for one router.
Plan vision_plan() {
  Plan plan;
  const auto add = [&plan](const char* name, const char* preset) -> PlannedModule& {
    PlannedModule& module = plan.modules.emplace_back();
    module.name = name;
    module.kind = ModuleKind::Linear;
    if (preset != nullptr) {
      module.scheme = find_preset(preset);
    }
    return module;
  };
  add("vision_tower.layers.0.fc1", nullptr).aliases = {"model.vision_tower.layers.0.fc1"};
  add("vision_tower.layers.1.fc1", nullptr);
  add("projector.linear_1", nullptr);
  add("language_model.model.layers.0.mlp.gate", nullptr).kind = ModuleKind::Router;
  add("language_model.model.layers.0.mlp.up_proj", "W4A16").aliases = {
      "model.language_model.layers.0.mlp.up_proj"};
  add("language_model.lm_head", nullptr);
  return plan;
}

json written_config(const std::string& format, const json& source = json::object()) {
  const std::vector<SmallFile> files = format_named(format)->files(vision_plan(), source);
  EXPECT_EQ(files.at(1).name, "quantization_config.json");
  json config = json::parse(files.at(0).text);
  EXPECT_EQ(config["quantization_config"], json::parse(files.at(1).text));
  return config;
}

TEST(IntegerConfigs, PartsOutsideOfTheBlocksNeedNoEntryOfAutoRound) {
  const json config = written_config("auto_round")["quantization_config"];
  // Transformers 5 has other names than the checkpoint: without them it would quantize nothing.
  EXPECT_EQ(config["block_name_to_quantize"],
            "language_model.model.layers,model.language_model.layers");
  EXPECT_EQ(config["extra_config"].size(), 1U);
  EXPECT_EQ(config["extra_config"]["language_model.model.layers.0.mlp.gate"]["bits"], 16);
}

TEST(IntegerConfigs, GptqNamesAListThatStaysOnce) {
  const json config = written_config("auto_gptq")["quantization_config"];
  EXPECT_EQ(config["dynamic"],
            json({{"-:^vision_tower\\.layers\\.", json::object()},
                  {"-:^model\\.vision_tower\\.layers\\.", json::object()},
                  {"-:^projector\\.linear_1$", json::object()},
                  {"-:^language_model\\.model\\.layers\\.0\\.mlp\\.gate$", json::object()}}));
  EXPECT_EQ(config["modules_in_block_to_quantize"], json({{"mlp.up_proj"}}));
  EXPECT_EQ(config["lm_head"], false);
}

TEST(IntegerConfigs, AwqNamesEveryLinearThatStays) {
  EXPECT_EQ(written_config("auto_awq")["quantization_config"]["modules_to_not_convert"],
            json({"vision_tower.layers.0.fc1",
                  "model.vision_tower.layers.0.fc1",
                  "vision_tower.layers.1.fc1",
                  "projector.linear_1",
                  "language_model.model.layers.0.mlp.gate",
                  "language_model.lm_head"}));
}

TEST(IntegerConfigs, KernelsOfGptqAndAwqComputeInFloat16) {
  const json source{{"dtype", "bfloat16"}, {"text_config", {{"torch_dtype", "bfloat16"}}}};
  for (const char* format : {"auto_gptq", "auto_awq"}) {
    const json config = written_config(format, source);
    EXPECT_EQ(config["dtype"], "float16");
    EXPECT_EQ(config["torch_dtype"], "float16");
    EXPECT_EQ(config["text_config"], json({{"torch_dtype", "float16"}}));
  }
  const json config = written_config("auto_round", source);
  EXPECT_EQ(config["dtype"], "bfloat16");
  EXPECT_FALSE(config.contains("torch_dtype"));
}

}  // namespace
}  // namespace oneshot
