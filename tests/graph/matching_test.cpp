// Patterns against modules: what is selected, by which rule, and what is refused.
#include "engine/graph/matching.h"

#include <gmock/gmock.h>

#include "engine/error.h"

namespace oneshot {
namespace {

ModuleInfo module_named(const std::string& name, ModuleKind kind = ModuleKind::Linear) {
  ModuleInfo module;
  module.name = name;
  module.kind = kind;
  module.weight = 0;
  return module;
}

std::vector<ModuleInfo> some_modules() {
  std::vector<ModuleInfo> modules{module_named("vision_model.layers.0.fc1"),
                                  module_named("language_model.layers.1.q_proj"),
                                  module_named("language_model.layers.12.q_proj"),
                                  module_named("language_model.norm", ModuleKind::Norm),
                                  module_named("language_model.lm_head")};
  modules[0].aliases = {"model.vision_model.layers.0.fc1"};
  modules[4].aliases = {"lm_head"};
  return modules;
}

Pattern at(const std::string& text) {
  return {text, "recipe.yaml:5:9"};
}

std::string message_of(ErrorCode code, const Selection& selection) {
  const std::vector<ModuleInfo> modules = some_modules();
  try {
    select("quantize", selection, modules);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Matching, ARegexIsAnchoredAtTheStartAndOpenAtTheEnd) {
  EXPECT_TRUE(matches("re:vision", module_named("vision_model.fc1")));
  EXPECT_FALSE(matches("re:model", module_named("vision_model.fc1")));
  EXPECT_TRUE(matches("re:.*fc", module_named("vision_model.fc1")));
  EXPECT_FALSE(matches("re:.*fc$", module_named("vision_model.fc1")));
  EXPECT_FALSE(
      matches("re:a|fc1", module_named("vision_model.fc1")));  // both branches are anchored
}

TEST(Matching, AClassFitsByKindAndANameExactly) {
  EXPECT_TRUE(matches("Linear", module_named("a.b")));
  EXPECT_FALSE(matches("Linear", module_named("a.b", ModuleKind::Norm)));
  EXPECT_TRUE(matches("a.b", module_named("a.b")));
  EXPECT_FALSE(matches("a", module_named("a.b")));
}

TEST(Matching, OldAndNewNamesBothFit) {
  const std::vector<ModuleInfo> modules = some_modules();
  EXPECT_TRUE(matches("re:vision_model.*", modules[0]));
  EXPECT_TRUE(matches("re:model.vision_model.*", modules[0]));
  EXPECT_TRUE(matches("lm_head", modules[4]));
}

TEST(Matching, APartOfANameNeverCutsANumber) {
  EXPECT_TRUE(contains_part("model.layers.1.mlp", "layers.1"));
  EXPECT_FALSE(contains_part("model.layers.12.mlp", "layers.1"));
  EXPECT_FALSE(contains_part("model.layers.12.mlp", "2.mlp"));
  EXPECT_TRUE(contains_part("model.layers.12.layers.1", "layers.1"));
  EXPECT_TRUE(contains_part("model.layers.12.mlp", "layers"));
}

TEST(Matching, EveryModuleGetsItsRule) {
  Selection selection;
  selection.ignore = {at("re:.*lm_head"), at("re:vision_model.*")};
  selection.fp_layers = {at("layers.1")};
  std::vector<std::string> rules;
  std::vector<bool> selected;
  const std::vector<ModuleInfo> modules = some_modules();
  for (const Choice& choice : select("quantize", selection, modules)) {
    rules.push_back(choice.rule);
    selected.push_back(choice.selected);
  }
  EXPECT_THAT(rules,
              testing::ElementsAre("ignore 're:vision_model.*'",
                                   "fp_layers 'layers.1'",
                                   "target 'Linear'",
                                   "is no Linear: Norm",
                                   "ignore 're:.*lm_head'"));
  EXPECT_THAT(selected, testing::ElementsAre(false, false, true, false, false));
}

TEST(Matching, APatternWithoutModuleIsRefusedAndTheNearestNamesAreSaid) {
  Selection ignoring;
  ignoring.ignore = {at("lm_haed")};
  EXPECT_EQ(message_of(ErrorCode::Recipe, ignoring),
            "recipe.yaml:5:9: quantize: ignore 'lm_haed' matches no module; the nearest names are "
            "'lm_head'; "
            "`allow_unmatched: true` permits it");
  Selection targeting;
  targeting.targets = {{at("re:.*q_prj$")}};
  EXPECT_EQ(message_of(ErrorCode::Recipe, targeting),
            "recipe.yaml:5:9: quantize: target 're:.*q_prj$' matches no module; the nearest names "
            "are 'q_proj'; "
            "`allow_unmatched: true` permits it");
  Selection keeping;
  keeping.fp_layers = {at("layers.2")};
  EXPECT_THAT(
      message_of(ErrorCode::Recipe, keeping),
      testing::StartsWith("recipe.yaml:5:9: quantize: fp_layers 'layers.2' matches no module; "));
}

TEST(Matching, UnmatchedPatternsCanBePermitted) {
  Selection selection;
  selection.ignore = {at("nothing_like_it")};
  selection.allow_unmatched = true;
  const std::vector<ModuleInfo> modules = some_modules();
  EXPECT_TRUE(select("quantize", selection, modules)[1].selected);
}

TEST(Matching, UnmatchedPatternsAreListed) {
  Selection selection;
  selection.targets = {{at("Linear"), at("re:.*q_prj$")}};
  selection.ignore = {at("lm_haed"), at("lm_head")};
  selection.fp_layers = {at("layers.99")};
  EXPECT_THAT(
      unmatched_patterns("quantize", selection, some_modules()),
      testing::ElementsAre("recipe.yaml:5:9: quantize: target 're:.*q_prj$' matches no module",
                           "recipe.yaml:5:9: quantize: ignore 'lm_haed' matches no module",
                           "recipe.yaml:5:9: quantize: fp_layers 'layers.99' matches no module"));
}

TEST(Matching, TheNameOfAPartThatHoldsModulesIsNoPattern) {
  Selection selection;
  selection.ignore = {at("vision_model")};
  EXPECT_EQ(message_of(ErrorCode::Recipe, selection),
            "recipe.yaml:5:9: quantize: ignore 'vision_model' is a part that holds modules, not a "
            "module; write "
            "'re:vision_model\\..*' for all of them");
}

TEST(Matching, AnExactTargetThatIsNoLinearIsNotSupported) {
  Selection selection;
  selection.targets = {{at("language_model.norm")}};
  EXPECT_EQ(message_of(ErrorCode::Unsupported, selection),
            "recipe.yaml:5:9: quantize: target 'language_model.norm' is of kind Norm; only Linear "
            "modules can be "
            "quantized");
}

TEST(Matching, AHostileRegexEndsInTime) {
  EXPECT_FALSE(matches("re:(a*)*b$", module_named(std::string(20000, 'a'))));
}

}  // namespace
}  // namespace oneshot
