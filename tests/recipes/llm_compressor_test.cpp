// llm-compressor's own recipe.yaml, read as ours. The files of tests/data/recipes/llm_compressor
// are what llm-compressor 0.14.0.1 wrote beside the models of tests/data/golden.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/recipes/recipe_language.h"

namespace oneshot::recipes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kFolder = ONESHOT_TEST_DATA "/recipes/llm_compressor/";

/// A recipe with one QuantizationModifier that has these arguments, in flow style.
std::string stage(const std::string& arguments) {
  return "quant_stage: {quant_modifiers: {QuantizationModifier: {" + arguments + "}}}\n";
}

/// The same with one config group.
std::string config_group(const std::string& group) {
  return stage("config_groups: {group_0: {targets: [Linear], " + group + "}}");
}

std::string lc_error(const std::string& text) {
  return error_of([&] { parse_whole(text); });
}

/// What all entries of a recipe select: "targets / ignore", by the order of the recipe.
std::vector<std::string> selections(const Recipe& recipe) {
  std::vector<std::string> all;
  for (const ModifierEntry& entry : recipe.modifiers) {
    std::string line = entry.options.is_mapping("scheme") ? "custom" : entry.options.text("scheme");
    for (const char* name : {"targets", "ignore"}) {
      line += " /";
      for (const std::string& text :
           entry.options.has(name) ? entry.options.list(name) : std::vector<std::string>{}) {
        line += " " + text;
      }
    }
    all.push_back(line);
  }
  return all;
}

Scheme scheme_of(const std::string& text) {
  const Recipe recipe = parse(text);
  return read_scheme(recipe.modifiers.at(0).options, "quantize");
}

class DataFreeGolden : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(DataFreeGolden, IsOurQuantize) {
  const auto& [name, scheme] = GetParam();
  const Recipe recipe = parse_whole(read_text(kFolder + name + ".yaml"));
  EXPECT_THAT(selections(recipe), ElementsAre(std::string(scheme) + " / Linear / lm_head"));
  EXPECT_EQ(recipe.modifiers[0].name, "quantize");
  EXPECT_TRUE(recipe.modifiers[0].options.boolean("allow_unmatched"));
  EXPECT_THAT(recipe.warnings,
              ElementsAre("recipe.yaml: read as an llm-compressor recipe: QuantizationModifier is "
                          "quantize (" +
                          std::string(scheme) + "), with allow_unmatched: true"));
  EXPECT_EQ(parse_whole(recipe.resolved()).resolved(), recipe.resolved());
}

INSTANTIATE_TEST_SUITE_P(LlmCompressor,
                         DataFreeGolden,
                         testing::Values(std::pair{"lc_fp8_dynamic", "FP8_DYNAMIC"},
                                         std::pair{"lc_fp8_block", "FP8_BLOCK"},
                                         std::pair{"lc_fp8_static", "FP8"},
                                         std::pair{"lc_w3a16", "W3A16"},
                                         std::pair{"lc_w4a16", "W4A16"},
                                         std::pair{"lc_w4a16_asym", "W4A16_ASYM"},
                                         std::pair{"lc_w8a16", "W8A16"},
                                         std::pair{"lc_w8a8_int8", "W8A8"},
                                         std::pair{"lc_nvfp4a16", "NVFP4A16"},
                                         std::pair{"lc_mxfp4a16", "MXFP4A16"}));

TEST(LlmCompressor, GoldensOfOtherModifiersAreNotSupportedYet) {
  const std::pair<const char*, const char*> cases[] = {
      {"lc_gptq_w4a16_fp32", "GPTQModifier"},
      {"lc_gptq_w4a16_static_fp32", "GPTQModifier"},
      {"lc_awq_w4a16_asym_fp32", "AWQModifier"},
      {"lc_smoothquant_w8a8", "SmoothQuantModifier"},
  };
  for (const auto& [file, name] : cases) {
    EXPECT_EQ(lc_error(read_text(kFolder + file + ".yaml")),
              "4 recipe.yaml:3:5: llm-compressor's '" + std::string(name) +
                  "' is not supported yet; QuantizationModifier is");
  }
}

TEST(LlmCompressor, TheResolvedRecipeIsOurs) {
  const std::string resolved = parse(read_text(kFolder + "lc_w4a16.yaml")).resolved();
  EXPECT_THAT(resolved, testing::StartsWith("version: 1\n"));
  EXPECT_THAT(resolved, HasSubstr("  - quantize:\n      scheme: W4A16\n"));
  EXPECT_THAT(resolved, HasSubstr("allow_unmatched: true\n"));
  EXPECT_THAT(resolved, testing::Not(HasSubstr("_stage")));
}

TEST(LlmCompressor, StagesAndGroupsAreConcatenatedInTheOrderOfTheFile) {
  const Recipe recipe = parse(
      "b_stage:\n"
      "  x_modifiers: {QuantizationModifier: {scheme: W8A16, targets: 're:.*q_proj'}}\n"
      "  a_modifiers: {QuantizationModifier: {scheme: W4A16, targets: 're:.*k_proj'}}\n"
      "a_stage:\n"
      "  x_modifiers: {QuantizationModifier: {scheme: W3A16, targets: 're:.*v_proj'}}\n");
  EXPECT_THAT(
      selections(recipe),
      ElementsAre("W8A16 / re:.*q_proj /", "W4A16 / re:.*k_proj /", "W3A16 / re:.*v_proj /"));
  EXPECT_EQ(recipe.modifiers[2].where, "recipe.yaml:5:17");
}

TEST(LlmCompressor, KeysThatItSkipsAreNamed) {
  const Recipe recipe = parse(
      "args: {a: 1}\n"
      "q_stage:\n"
      "  run_type: oneshot\n"
      "  q_modifiers: {QuantizationModifier: {scheme: W4A16}}\n"
      "note: mine\n");
  ASSERT_EQ(recipe.warnings.size(), 4u);
  EXPECT_THAT(recipe.warnings[0], HasSubstr("read as an llm-compressor recipe"));
  const std::string skipped = " says nothing in an llm-compressor recipe and is skipped";
  EXPECT_EQ(recipe.warnings[1], "recipe.yaml:1:1: 'args'" + skipped);
  EXPECT_EQ(recipe.warnings[2], "recipe.yaml:3:3: 'run_type'" + skipped);
  EXPECT_EQ(recipe.warnings[3], "recipe.yaml:5:1: 'note'" + skipped);
}

TEST(LlmCompressor, DefaultsAndNullsAreDropped) {
  const Recipe recipe = parse(
      stage("scheme: w4a16, config_groups: null, ignore: null, kv_cache_scheme: null, "
            "weight_observer: null, input_observer: null, output_observer: ~, observer: null, "
            "bypass_divisibility_checks: false, requires_calibration_data: true, index: null, "
            "group: null, start: null, end: null, update: null"));
  EXPECT_THAT(selections(recipe), ElementsAre("W4A16 / /"));
}

TEST(LlmCompressor, OverridesUseOurNames) {
  const Recipe recipe = parse(
      read_text(kFolder + "lc_fp8_static.yaml"),
      {"calibration.dataset=/x.jsonl", "modifiers.0.ignore=[]", "output.formats=[auto_round]"});
  EXPECT_EQ(recipe.calibration->datasets.at(0).path, "/x.jsonl");
  EXPECT_THAT(recipe.modifiers[0].options.list("ignore"), IsEmpty());
  EXPECT_THAT(recipe.output.formats, ElementsAre("auto_round"));
}

TEST(LlmCompressor, ARecipeOfOursCanExtendOne) {
  ParseInput input{.text = "version: 1\nextends: lc.yaml\noutput: {formats: [auto_gptq]}\n",
                   .file = "recipe.yaml"};
  input.read_base = [](const std::filesystem::path&) { return stage("scheme: W4A16"); };
  const Recipe recipe = parse_recipe(input, test_modifiers(), test_formats());
  EXPECT_THAT(selections(recipe), ElementsAre("W4A16 / /"));
  EXPECT_EQ(recipe.modifiers[0].where, "lc.yaml:1:33");
  EXPECT_THAT(recipe.warnings, ElementsAre(testing::StartsWith("lc.yaml: read as")));
}

TEST(LlmCompressor, JsonIsYaml) {
  const Recipe recipe = parse(
      "{\"q_stage\": {\"q_modifiers\": {\"QuantizationModifier\": {\n"
      "  \"scheme\": \"FP8_DYNAMIC\", \"ignore\": [\"re:.*lm_head\"]}}}}\n",
      {},
      "recipe.json");
  EXPECT_THAT(selections(recipe), ElementsAre("FP8_DYNAMIC / / re:.*lm_head"));
  const Recipe ours =
      parse("{\"version\": 1, \"modifiers\": [{\"quantize\": {\"scheme\": \"W4A16\"}}]}\n",
            {},
            "recipe.json");
  EXPECT_THAT(selections(ours), ElementsAre("W4A16 / /"));
}

TEST(LlmCompressor, MarkdownIsRefused) {
  for (const char* file : {"recipe.md", "a/RECIPE.MD"}) {
    EXPECT_EQ(error_of([&] { parse("---\nversion: 1\n---\n# Words\n", {}, file); }),
              "2 " + std::string(file) +
                  ": a recipe in Markdown is not read: put what stands between its '---' lines "
                  "into a .yaml file");
  }
}

TEST(LlmCompressor, AGroupOfArguments) {
  // FP8_DYNAMIC, INT4 asymmetric in groups of 128 and FP8_BLOCK, as §8 of compressed-tensors has
  // them.
  EXPECT_EQ(describe(scheme_of(config_group(
                "weights: {num_bits: 8, type: float, strategy: channel, symmetric: true, "
                "dynamic: false, observer: minmax}, "
                "input_activations: {num_bits: 8, type: float, strategy: token, dynamic: true, "
                "observer: null}, output_activations: null, format: null"))),
            describe(*find_preset("FP8_DYNAMIC")));
  EXPECT_EQ(describe(scheme_of(config_group(
                "weights: {num_bits: 4, type: int, strategy: group, group_size: 128, "
                "symmetric: false, actorder: null, zp_dtype: torch.int8, observer_kwargs: {}, "
                "block_structure: null, scale_dtype: null}"))),
            describe(*find_preset("W4A16_ASYM")));
  EXPECT_EQ(describe(scheme_of(
                config_group("weights: {type: FLOAT, strategy: block, block_structure: 128x128}, "
                             "input_activations: {type: float, group_size: 128, dynamic: true}"))),
            describe(*find_preset("FP8_BLOCK")));
}

TEST(LlmCompressor, StrategiesThatAreNotWrittenAreTheirs) {
  const Scheme tensors = scheme_of(
      config_group("weights: {num_bits: 8}, input_activations: {num_bits: 8, dynamic: true}"));
  EXPECT_EQ(tensors.weights.strategy, Strategy::Tensor);
  EXPECT_EQ(tensors.input_activations->strategy, Strategy::Tensor) << "ours would be token";
  EXPECT_EQ(scheme_of(config_group("weights: {group_size: -1}")).weights.strategy,
            Strategy::Channel);
  EXPECT_EQ(scheme_of(config_group("weights: {group_size: 32}")).weights.group_size, 32);
  EXPECT_EQ(scheme_of(config_group("weights: {group_size: 32}")).weights.bits, 8);
}

/// The observer written into the recipe for the weights or the inputs of the only entry.
std::string observer_of(const Recipe& recipe, const char* side) {
  return recipe.modifiers[0].options.mapping("scheme").mapping(side).text("observer");
}

TEST(LlmCompressor, ObserversHaveOurNames) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"memoryless_minmax", "minmax", "minmax"},
      {"static_minmax", "minmax", "minmax"},
      {"minmax", "minmax", "moving_average"},
      {"memoryless_mse", "mse", "mse"},
      {"mse", "mse", "mse"},
  };
  for (const auto& [theirs, of_weights, of_input] : cases) {
    const std::string observer = std::string("{num_bits: 8, observer: ") + theirs + "}";
    const Recipe inside =
        parse(config_group("weights: " + observer + ", input_activations: " + observer));
    EXPECT_EQ(observer_of(inside, "weights"), of_weights) << theirs;
    EXPECT_EQ(observer_of(inside, "input_activations"), of_input) << theirs;
    const Recipe beside =
        parse(stage(std::string("observer: {weights: ") + theirs + ", input: " + theirs +
                    "}, config_groups: {g: {targets: Linear, weights: {num_bits: 8}, "
                    "input_activations: {num_bits: 8, observer: static_minmax}}}"));
    EXPECT_EQ(observer_of(beside, "weights"), of_weights) << theirs;
    EXPECT_EQ(observer_of(beside, "input_activations"), of_input) << theirs;
  }
  EXPECT_THAT(selections(parse(stage("scheme: FP8, weight_observer: minmax, "
                                     "input_observer: static_minmax"))),
              ElementsAre("FP8 / /"));
}

TEST(LlmCompressor, AMemorylessRangeOfStaticInputsIsADifferenceThatIsSaid) {
  const std::string text =
      config_group("weights: {num_bits: 8}, input_activations: {num_bits: 8, observer: OBSERVER}");
  const auto warnings = [&](const std::string& observer) {
    std::string one = text;
    return parse(one.replace(one.find("OBSERVER"), 8, observer)).warnings;
  };
  EXPECT_EQ(warnings("static_minmax").size(), 1u);
  for (const char* observer : {"null", "memoryless_minmax"}) {
    ASSERT_EQ(warnings(observer).size(), 2u);
    EXPECT_THAT(warnings(observer)[1],
                testing::EndsWith("config_groups.group_0.input_activations: llm-compressor's "
                                  "memoryless observers keep the last sample alone; here the "
                                  "range is that of all samples"));
  }
}

TEST(LlmCompressor, OfSeveralGroupsOneDecides) {
  // An exact name before a regular expression before a class, regular expressions by their text.
  const Recipe recipe = parse(
      stage("ignore: [lm_head], scheme: {W4A16: [Linear, 're:.*c'], "
            "W8A16: ['re:.*b', model.layers.0.mlp.up_proj], FP8_DYNAMIC: ['re:.*a', 're:.*d']}"));
  EXPECT_THAT(
      selections(recipe),
      ElementsAre(
          "W4A16 / re:.*c / lm_head model.layers.0.mlp.up_proj re:.*a re:.*b",
          "W4A16 / Linear / lm_head model.layers.0.mlp.up_proj re:.*a re:.*b re:.*c re:.*d",
          "W8A16 / model.layers.0.mlp.up_proj / lm_head",
          "W8A16 / re:.*b / lm_head model.layers.0.mlp.up_proj re:.*a",
          "FP8_DYNAMIC / re:.*a / lm_head model.layers.0.mlp.up_proj",
          "FP8_DYNAMIC / re:.*d / lm_head model.layers.0.mlp.up_proj re:.*a re:.*b re:.*c"));
  EXPECT_THAT(recipe.warnings,
              ElementsAre(HasSubstr("QuantizationModifier is quantize (W4A16) and quantize")));
}

TEST(LlmCompressor, ALaterGroupTakesATargetFromAnEarlierOne) {
  const Recipe recipe = parse(stage(
      "config_groups: {a: {targets: [Linear, 're:.*q'], weights: {num_bits: 8}}, W4A16: Linear}"));
  EXPECT_THAT(selections(recipe), ElementsAre("custom / re:.*q /", "W4A16 / Linear / re:.*q"));
  ASSERT_EQ(recipe.warnings.size(), 2u);
  EXPECT_EQ(recipe.warnings[1],
            "recipe.yaml:1:86: target 'Linear' does not count here: a later group names it too");
}

TEST(LlmCompressor, GroupsThatWouldGrowWithoutBoundAreRefused) {
  std::string a;
  std::string b;
  for (int i = 0; i < 4000; ++i) {
    (i % 2 == 0 ? a : b) += "'re:" + std::to_string(10'000 + i) + "', ";
  }
  EXPECT_EQ(
      lc_error(stage("scheme: {W4A16: [" + a + "], W8A16: [" + b + "]}")),
      "2 recipe.yaml:1:33: QuantizationModifier: too large: its groups have too many targets");
}

TEST(LlmCompressor, OneGroupOfSeveralTargetsIsOneEntry) {
  EXPECT_THAT(selections(parse(stage("scheme: {FP8_DYNAMIC: ['re:.*q', Linear]}, "
                                     "targets: [Linear], ignore: 're:.*head'"))),
              ElementsAre("FP8_DYNAMIC / re:.*q Linear / re:.*head"));
}

TEST(LlmCompressor, ObserversAndCachesStandBesideAPreset) {
  const Recipe recipe = parse_whole(
      stage("scheme: FP8, input_observer: minmax, kv_cache_scheme: {num_bits: 8, type: float, "
            "strategy: tensor, dynamic: false, symmetric: true, observer: static_minmax}"));
  const OptionValues& options = recipe.modifiers.at(0).options;
  EXPECT_EQ(options.text("input_observer"), "moving_average");
  EXPECT_FALSE(options.has("weight_observer"));
  EXPECT_EQ(options.text("kv_cache_scheme"), "FP8");
}

}  // namespace
}  // namespace oneshot::recipes
