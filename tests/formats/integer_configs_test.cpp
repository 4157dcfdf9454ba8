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

}  // namespace
}  // namespace oneshot
