// What sign_round takes, leaves and refuses, in whole plans and runs.
#include <gmock/gmock.h>

#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

using nlohmann::json;

std::string sign_round_recipe(const std::string& options, const std::string& formats) {
  return "version: 1\nmodifiers:\n  - sign_round: {iterations: 0, " + options +
         "}\noutput: {formats: [" + formats + "]}\n";
}

/// "4 message": exit code and message of a run that is refused.
std::string refusal(const std::string& recipe, const std::filesystem::path& model = tiny_llama()) {
  const TemporaryFolder folder;
  try {
    run_recipe(folder, {.recipe = recipe, .model = model});
  } catch (const Error& error) {
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "out"));
    return std::to_string(error.exit_code()) + " " + error.what();
  }
  return "nothing was refused";
}

/// The quantization_config of what a recipe writes.
json config_of(const std::string& options, const std::string& format) {
  const TemporaryFolder folder;
  run_recipe(folder, {.recipe = sign_round_recipe(options, format)});
  return json::parse(read_file(folder.path() / "out/config.json"))["quantization_config"];
}

TEST(SignRoundTargets, WithoutTargetsOnlyBlocksAreQuantized) {
  // lm_head is a Linear too, and no `ignore` names it.
  const json config = config_of("scheme: W4A16", "compressed_tensors");
  EXPECT_EQ(config["ignore"], json({"lm_head"}));
  EXPECT_EQ(config["config_groups"]["group_0"]["targets"], json({"Linear"}));
}

TEST(SignRoundTargets, ExplicitTargetsAreTakenLiterally) {
  const json config = config_of("scheme: W4A16, targets: [lm_head]", "auto_round");
  EXPECT_EQ(config["extra_config"]["lm_head"],
            json({{"bits", 4}, {"data_type", "int"}, {"group_size", 128}, {"sym", true}}));
  // Without a list readers take every block, so what stays is named.
  EXPECT_FALSE(config.contains("block_name_to_quantize"));
  EXPECT_EQ(config["extra_config"]["model.layers.1.mlp.up_proj"]["bits"], 16);
}

TEST(SignRoundLayers, OverrideTheSchemeOfSingleModules) {
  const json config = config_of(
      "scheme: W4A16, layers: {'re:.*down_proj': {bits: 8, group_size: -1}}, "
      "fp_layers: [layers.0.self_attn.q_proj]",
      "auto_round");
  EXPECT_EQ(config["bits"], 4);
  EXPECT_EQ(config["extra_config"],
            json({{"model.layers.0.mlp.down_proj", {{"bits", 8}, {"group_size", -1}}},
                  {"model.layers.1.mlp.down_proj", {{"bits", 8}, {"group_size", -1}}},
                  {"model.layers.0.self_attn.q_proj",
                   {{"act_bits", 16},
                    {"act_data_type", "float"},
                    {"bits", 16},
                    {"data_type", "float"}}}}));
}

TEST(SignRoundLayers, GptqSaysThemInDynamic) {
  const json config = config_of(
      "scheme: W4A16, layers: {model.layers.1.mlp.up_proj: {bits: 8}}, "
      "fp_layers: [layers.0.mlp.gate_proj]",
      "auto_gptq");
  EXPECT_EQ(config["dynamic"],
            json({{"+:^model\\.layers\\.1\\.mlp\\.up_proj$",
                   {{"bits", 8}, {"group_size", 128}, {"sym", true}}},
                  {"-:^model\\.layers\\.0\\.mlp\\.gate_proj$", json::object()}}));
  EXPECT_EQ(config["modules_in_block_to_quantize"],
            json({{"mlp.down_proj",
                   "mlp.gate_proj",
                   "mlp.up_proj",
                   "self_attn.k_proj",
                   "self_attn.o_proj",
                   "self_attn.q_proj",
                   "self_attn.v_proj"}}));
}

TEST(SignRoundLayers, WhatMakesNoSenseIsRefused) {
  const auto with = [](const std::string& layers) {
    return refusal(sign_round_recipe("scheme: W4A16, layers: {" + layers + "}", "auto_round"));
  };
  EXPECT_THAT(with("'re:.*mlp.*': {bits: 8}, 're:.*down_proj': {bits: 2}"),
              testing::ContainsRegex("2 .*recipe.yaml:3:.*: sign_round: layers 're:.\\*down_proj' "
                                     "and 're:.\\*mlp.\\*' both fit "
                                     "model.layers.0.mlp.down_proj; narrow one of them"));
  EXPECT_THAT(with("'re:.*down_prj': {bits: 8}"),
              testing::AllOf(testing::StartsWith("2 "),
                             testing::HasSubstr("layers 're:.*down_prj' matches no module; the "
                                                "nearest names are 'down_proj'")));
  EXPECT_THAT(with("lm_head: {bits: 8}"),
              testing::AllOf(testing::StartsWith("2 "),
                             testing::HasSubstr("layers 'lm_head' fits no module that is "
                                                "quantized; look at targets, ignore")));
  EXPECT_THAT(with("'re:.*down_proj': {scheme: FP8}"),
              testing::AllOf(testing::StartsWith("4 "),
                             testing::HasSubstr("sign_round: has no scheme FP8")));
}

TEST(SignRoundSchemes, OthersAreRefused) {
  for (const char* scheme : {"FP8_DYNAMIC", "W8A8", "NVFP4A16", "MXFP8"}) {
    EXPECT_THAT(refusal(sign_round_recipe(std::string("scheme: ") + scheme, "compressed_tensors")),
                testing::AllOf(testing::StartsWith("4 "),
                               testing::HasSubstr(std::string("has no scheme ") + scheme)));
  }
}

TEST(SignRoundFormats, PlansThatAFormatCannotHoldAreRefused) {
  const auto end = [](const char* module) {
    return std::string("; `fp_layers: [") + module + "]` keeps it in floating point";
  };
  const std::string first = "model.layers.0.self_attn.q_proj";
  EXPECT_EQ(refusal(sign_round_recipe("scheme: W5A16", "auto_round")),
            "4 " + first +
                ": auto_round cannot hold it: it packs codes of 2, 3, 4 and 8 bits, not "
                "of 5; compressed_tensors holds them" +
                end(first.c_str()));
  EXPECT_EQ(refusal(sign_round_recipe("scheme: W4A16_ASYM", "auto_gptq")),
            "4 " + first +
                ": auto_gptq cannot hold it: its zero points are stored minus one, which "
                "loses a zero point of 0; auto_round and compressed_tensors hold "
                "asymmetric schemes" +
                end(first.c_str()));
  EXPECT_EQ(refusal(sign_round_recipe("scheme: W8A16", "auto_awq")),
            "4 " + first +
                ": auto_awq cannot hold it: this layout packs codes of 4 bits, not of 8; "
                "compressed_tensors holds them" +
                end(first.c_str()));
  EXPECT_EQ(refusal(sign_round_recipe("scheme: W4A16_ASYM, group_size: 96", "auto_round")),
            "4 " + first +
                ": auto_round cannot hold it: its 256 columns do not divide into groups "
                "of 96; choose a group_size that divides them" +
                end(first.c_str()));
  EXPECT_THAT(refusal(sign_round_recipe("scheme: MXFP4", "auto_round")),
              testing::StartsWith("4 " + first +
                                  ": auto_round cannot hold it: it takes integer "
                                  "weights alone, not MXFP4"));
  EXPECT_THAT(refusal(quantize_recipe("scheme: W4A16, ignore: [lm_head]") +
                      "output: {formats: [auto_round]}\n"),
              testing::HasSubstr("its scales are float16: write `scale_dtype: float16`, or "
                                 "compressed_tensors"));
}

TEST(SignRoundFormats, MixturesThatAFormatCannotSayAreRefused) {
  const std::string layers = "scheme: W4A16, layers: {'re:.*down_proj': ";
  EXPECT_THAT(refusal(sign_round_recipe(layers + "{symmetric: false}}", "auto_round")),
              testing::StartsWith("4 model.layers.0.mlp.down_proj: auto_round cannot hold it: all "
                                  "modules have one packing_format, and its scheme is packed as "
                                  "auto_round:auto_awq, that of model.layers.0.self_attn.q_proj as "
                                  "auto_round:auto_gptq; compressed_tensors holds both"));
  EXPECT_THAT(refusal(sign_round_recipe(layers + "{group_size: 32}}", "auto_awq")),
              testing::StartsWith("4 model.layers.0.mlp.down_proj: auto_awq cannot hold it: all "
                                  "modules have one group size and one symmetry"));
}

TEST(SignRoundFormats, SeveralInOneRunHoldTheSameCodes) {
  const TemporaryFolder folder;
  run_recipe(folder,
             {.recipe = sign_round_recipe("scheme: W4A16", "auto_round, auto_gptq, auto_awq")});
  const auto tensors = [&](const char* format) {
    return tensor_bytes_of(folder.path() / "out" / format / "model.safetensors");
  };
  const auto round = tensors("auto_round");
  auto gptq = tensors("auto_gptq");
  std::erase_if(gptq, [](const auto& tensor) { return tensor.first.ends_with(".g_idx"); });
  EXPECT_EQ(round, gptq);
  EXPECT_EQ(round.at("model.layers.0.mlp.up_proj.scales"),
            tensors("auto_awq").at("model.layers.0.mlp.up_proj.scales"));
}

TEST(SignRoundFormats, TheConfigIsTheSameWhicheverModifierMadeTheCodes) {
  for (const char* format : {"auto_round", "auto_gptq", "auto_awq", "compressed_tensors"}) {
    const TemporaryFolder folder;
    run_recipe(folder, {.recipe = sign_round_recipe("scheme: W4A16", format), .output = "tuned"});
    run_recipe(folder,
               {.recipe = quantize_recipe("scheme: W4A16, ignore: [lm_head], scale_dtype: "
                                          "float16") +
                          "output: {formats: [" + format + "]}\n",
                .output = "nearest"});
    EXPECT_EQ(read_file(folder.path() / "tuned/config.json"),
              read_file(folder.path() / "nearest/config.json"));
  }
}

TEST(SignRound, NotANumberIsRefusedWithItsPlace) {
  const TemporaryFolder folder;
  std::filesystem::copy(tiny_llama(), folder.path() / "model");
  const auto file = folder.path() / "model/model.safetensors";
  std::string bytes = read_file(file);
  const SafetensorsHeader header = read_safetensors_header(InputFile(file));
  for (const TensorInfo& tensor : header.tensors) {
    if (tensor.name == "model.layers.1.mlp.up_proj.weight") {
      bytes.replace(header.data_begin + tensor.begin + 2 * 256 * 3 + 2 * 7, 2, "\xc0\x7f");
    }
  }
  write_file(file, bytes);
  EXPECT_THAT(refusal(sign_round_recipe("scheme: W4A16", "auto_round"), folder.path() / "model"),
              testing::StartsWith("3 model.layers.1.mlp.up_proj.weight: holds NaN or infinity (row "
                                  "3, column 7)"));
}

}  // namespace
}  // namespace oneshot
