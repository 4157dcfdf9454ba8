// The recipes of the library for models that read images, and what each of them quantizes.
#pragma once

#include <re2/re2.h>

#include <ostream>
#include <string>

#include "tests/e2e/true_checkpoint.h"
#include "tests/support/recipe_run.h"

namespace oneshot {

// Linears of the language blocks, by layout.
inline constexpr const char* kHubBlocks = R"(language_model\.model\.layers\.\d+\..*_proj)";
inline constexpr const char* kFlatBlocks = R"(model\.layers\.\d+\..*_proj)";
inline constexpr const char* kCogBlocks =
    R"(model\.layers\.\d+\..*(_proj|_dense|_query_key_value))";
inline constexpr const char* kHubBlocksAndTower =
    R"((language_model\.model|vision_tower.*)\.layers\.\d+\..*(_proj|fc1|fc2))";
inline constexpr const char* kFlatBlocksAndTower =
    R"(model\.(vision_tower.*\.)?layers\.\d+\..*(_proj|fc1|fc2))";

// Of modules that no sample goes through.
inline constexpr const char* kNone = "";
inline constexpr const char* kCrossBlock = R"(.*model\.layers\.1\..*)";
inline constexpr const char* kVisionExperts = R"(model\.layers\..*vision_(expert|mlp).*)";

struct VlmRecipe {
  const char* name;    // of the test
  std::string recipe;  // in the library, without .yaml
  TrueCheckpoint (*published)();
  size_t published_modules;  // that it quantizes there
  const char* fixture;       // of the same family, in tests/data/models
  size_t fixture_modules;
  const char* quantized;       // regular expression of their names
  const char* unseen = kNone;  // the same of those of the fixture without samples

  bool quantizes(const std::string& module) const { return RE2::FullMatch(module, quantized); }
  bool leaves_unseen(const std::string& module) const { return RE2::FullMatch(module, unseen); }
  bool reads_images() const { return !recipe.ends_with("-text"); }
  bool writes_both() const { return recipe.starts_with("llama-3.2"); }
};

/// For the names in the list of tests.
inline void PrintTo(const VlmRecipe& recipe, std::ostream* out) {
  *out << recipe.name;
}

// Blocks times Linears of a block. Mllama: 32 + 8 of 7. LLaVA: 32 of 7, and 24 of 6 in the tower.
// Qwen2-VL: 28 of 7. Phi-3.5: 32 of 4. CogVLM2: 32 of 2 · 5.
inline std::vector<VlmRecipe> sign_round_recipes() {
  return {
      {"Mllama", "llama-3.2-11b-vision-int4", true_mllama_11b, 280, "mllama", 21, kHubBlocks},
      {"MllamaText",
       "llama-3.2-11b-vision-int4-text",
       true_mllama_11b,
       280,
       "mllama",
       21,
       kHubBlocks,
       kCrossBlock},
      {"LlavaHf", "llava-1.5-7b-int4", true_llava_hf_7b, 224, "llava_hf", 14, kHubBlocks},
      {"Llava", "llava-1.5-7b-int4", true_llava_7b, 224, "llava_original", 14, kFlatBlocks},
      {"LlavaHfVision",
       "llava-1.5-7b-int4-vision",
       true_llava_hf_7b,
       368,
       "llava_hf",
       32,
       kHubBlocksAndTower},
      {"LlavaVision",
       "llava-1.5-7b-int4-vision",
       true_llava_7b,
       368,
       "llava_original",
       32,
       kFlatBlocksAndTower},
      {"Qwen2Vl", "qwen2-vl-7b-int4", true_qwen2_vl_7b, 196, "qwen2_vl", 14, kFlatBlocks},
      {"Phi3V", "phi-3.5-vision-int4", true_phi3_v, 128, "phi3_v", 8, kFlatBlocks},
      {"CogVlm2", "cogvlm2-int4", true_cogvlm2_19b, 320, "cogvlm2", 20, kCogBlocks},
  };
}
inline VlmRecipe float8_recipe() {
  return {"MllamaFloat8",
          "llama-3.2-11b-vision-fp8-dynamic",
          true_mllama_11b,
          280,
          "mllama",
          21,
          kHubBlocks};
}

/// Without ".weight"; empty for other tensors.
inline std::string module_of_weight(const std::string& tensor) {
  return tensor.ends_with(".weight") ? tensor.substr(0, tensor.rfind('.')) : "";
}

/// The job of a recipe of the library, as `oneshot run --set …` makes it.
inline Job library_job(const VlmRecipe& recipe, const std::vector<std::string>& overrides = {}) {
  cli::RecipeArguments arguments;
  arguments.recipe = std::filesystem::path(ONESHOT_RECIPE_LIBRARY) / (recipe.recipe + ".yaml");
  arguments.overrides = overrides;
  return cli::make_job(cli::read_recipe(arguments));
}

}  // namespace oneshot
