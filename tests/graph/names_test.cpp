// Which modules a checkpoint has, by the names and shapes of its tensors.
#include "engine/graph/names.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"
#include "engine/graph/family_names.h"

namespace oneshot {
namespace {

using nlohmann::json;
using testing::ElementsAre;

std::vector<ModuleInfo> modules_of(const json& config, const std::vector<NamedShape>& tensors) {
  return list_modules(config, tensors);
}

const ModuleInfo& find(const std::vector<ModuleInfo>& modules, const std::string& name) {
  const auto found = std::find_if(
      modules.begin(), modules.end(), [&](const ModuleInfo& m) { return m.name == name; });
  if (found == modules.end()) {
    throw std::runtime_error("no module " + name);
  }
  return *found;
}

/// A checkpoint of tests/data/models.
std::vector<ModuleInfo> modules_of_model(const std::string& name) {
  const std::string folder = std::string(ONESHOT_TEST_DATA) + "/models/" + name;
  std::vector<NamedShape> shapes;
  for (const TensorInfo& tensor :
       read_safetensors_header(InputFile(folder + "/model.safetensors")).tensors) {
    shapes.push_back({tensor.name, tensor.shape});
  }
  std::ifstream config(folder + "/config.json");
  return list_modules(json::parse(config), shapes);
}

std::vector<std::string> names_of(const std::vector<ModuleInfo>& modules, ModuleKind kind) {
  std::vector<std::string> names;
  for (const ModuleInfo& module : modules) {
    if (module.kind == kind) {
      names.push_back(module.name);
    }
  }
  return names;
}

TEST(Names, TwoDimensionsMakeALinearButForEmbeddingsNormsAndRouters) {
  const std::vector<ModuleInfo> modules =
      modules_of(json::object(),
                 {{"model.embed_tokens.weight", {8, 4}},
                  {"model.layers.0.self_attn.q_proj.weight", {4, 4}},
                  {"model.layers.0.self_attn.q_proj.bias", {4}},
                  {"model.layers.0.mlp.gate.weight", {2, 4}},
                  {"model.layers.0.mlp.shared_expert_gate.weight", {1, 4}},
                  {"model.layers.0.feed_forward.router.weight", {2, 4}},
                  {"model.layers.0.mlp.experts.3.w1.weight", {4, 4}},
                  {"model.layers.0.mlp.experts.gate_up_proj", {2, 4, 8}},
                  {"model.layers.0.input_layernorm.weight", {4}},
                  {"model.conv.weight", {4, 3, 2, 2}},
                  {"transformer.wte.weight", {8, 4}},
                  {"vision.position_embedding.weight", {5, 4}},
                  {"lm_head.weight", {8, 4}}});
  EXPECT_THAT(
      names_of(modules, ModuleKind::Linear),
      ElementsAre("model.layers.0.self_attn.q_proj", "model.layers.0.mlp.experts.3.w1", "lm_head"));
  EXPECT_THAT(names_of(modules, ModuleKind::Router),
              testing::UnorderedElementsAre("model.layers.0.mlp.gate",
                                            "model.layers.0.mlp.shared_expert_gate",
                                            "model.layers.0.feed_forward.router"));
  EXPECT_THAT(names_of(modules, ModuleKind::Embedding),
              testing::UnorderedElementsAre(
                  "model.embed_tokens", "transformer.wte", "vision.position_embedding"));
  EXPECT_THAT(names_of(modules, ModuleKind::Norm), ElementsAre("model.layers.0.input_layernorm"));
  EXPECT_EQ(find(modules, "model.layers.0.self_attn.q_proj").tensors.size(), 2U);
}

TEST(Names, LayersStandInTheOrderOfTheirNumbersAndProjectionsInThatOfTheModel) {
  std::vector<NamedShape> tensors{{"lm_head.weight", {8, 4}}};
  for (const char* layer : {"10", "2"}) {
    for (const char* leaf :
         {"mlp.down_proj", "self_attn.v_proj", "self_attn.k_proj", "self_attn.q_proj"}) {
      tensors.push_back({std::string("model.layers.") + layer + "." + leaf + ".weight", {4, 4}});
    }
  }
  EXPECT_THAT(names_of(modules_of(json::object(), tensors), ModuleKind::Linear),
              ElementsAre("model.layers.2.self_attn.q_proj",
                          "model.layers.2.self_attn.k_proj",
                          "model.layers.2.self_attn.v_proj",
                          "model.layers.2.mlp.down_proj",
                          "model.layers.10.self_attn.q_proj",
                          "model.layers.10.self_attn.k_proj",
                          "model.layers.10.self_attn.v_proj",
                          "model.layers.10.mlp.down_proj",
                          "lm_head"));
}

TEST(Names, MllamaHasTheLinearsOfItsThreeParts) {
  const std::vector<ModuleInfo> modules = modules_of_model("mllama");
  // Language: 3 layers of 4 + 3, one of them cross attention; vision: 3 + 1 layers of 4 + 2;
  // projector; head.
  EXPECT_EQ(names_of(modules, ModuleKind::Linear).size(), 3U * 7 + 4U * 6 + 1 + 1);
  EXPECT_EQ(find(modules, "vision_model.gated_positional_embedding.tile_embedding").kind,
            ModuleKind::Embedding);
  EXPECT_THAT(find(modules, "vision_model.transformer.layers.0.mlp.fc1").aliases,
              ElementsAre("model.vision_model.transformer.layers.0.mlp.fc1"));
  EXPECT_THAT(find(modules, "language_model.lm_head").aliases, ElementsAre("lm_head"));
  EXPECT_THAT(find(modules, "language_model.model.layers.1.cross_attn.q_proj").aliases,
              ElementsAre("model.language_model.layers.1.cross_attn.q_proj"));
  EXPECT_THAT(find(modules, "multi_modal_projector").aliases,
              ElementsAre("model.multi_modal_projector"));
}

TEST(Names, MllamaHasNormsAndFusedSets) {
  const std::vector<ModuleInfo> modules = modules_of_model("mllama");
  for (const char* norm : {"language_model.model.layers.1.cross_attn.q_norm",
                           "vision_model.layernorm_pre",
                           "vision_model.transformer.layers.0.post_attention_layernorm"}) {
    EXPECT_EQ(find(modules, norm).kind, ModuleKind::Norm) << norm;
  }
  // q, k, v of all seven blocks, gate and up of the three of the text.
  EXPECT_EQ(fused_sets(modules).size(), 7U + 3U);
}

TEST(Names, MllamaInNewNamesKnowsTheOldOnes) {
  const std::pair<const char*, const char*> names[] = {
      {"model.language_model.layers.1.cross_attn.q_proj",
       "language_model.model.layers.1.cross_attn.q_proj"},
      {"model.vision_model.global_transformer.layers.0.mlp.fc1",
       "vision_model.global_transformer.layers.0.mlp.fc1"},
      {"model.multi_modal_projector", "multi_modal_projector"},
      {"lm_head", "language_model.lm_head"}};
  for (const auto& [new_name, old_name] : names) {
    EXPECT_THAT(aliases_of(new_name, "mllama"), ElementsAre(old_name));
  }
}

TEST(Names, LlavaHasTheLinearsOfItsThreeParts) {
  const std::vector<ModuleInfo> modules = modules_of_model("llava_hf");
  EXPECT_EQ(names_of(modules, ModuleKind::Linear).size(), 2U * 7 + 3U * 6 + 2 + 1);
  EXPECT_THAT(find(modules, "vision_tower.vision_model.encoder.layers.0.mlp.fc1").aliases,
              ElementsAre("model.vision_tower.encoder.layers.0.mlp.fc1",
                          "model.vision_tower.vision_model.encoder.layers.0.mlp.fc1"));
}

TEST(Names, Qwen2VlHasTheLinearsOfItsTwoParts) {
  const std::vector<ModuleInfo> modules = modules_of_model("qwen2_vl");
  EXPECT_EQ(names_of(modules, ModuleKind::Linear).size(), 2U * 7 + 2U * 4 + 2 + 1);
  EXPECT_THAT(find(modules, "visual.merger.mlp.0").aliases,
              ElementsAre("model.visual.merger.mlp.0"));
  EXPECT_THAT(find(modules, "model.layers.0.mlp.up_proj").aliases,
              ElementsAre("model.language_model.layers.0.mlp.up_proj"));
}

TEST(Names, Qwen25VlHasGatedMlpsInItsTowerThatAreFused) {
  const std::vector<ModuleInfo> modules = modules_of_model("qwen2_5_vl");
  // Text: 2 layers of 4 + 3; vision: 3 layers of 2 + 3; merger; head.
  EXPECT_EQ(names_of(modules, ModuleKind::Linear).size(), 2U * 7 + 3U * 5 + 2 + 1);
  EXPECT_EQ(find(modules, "visual.patch_embed.proj").kind, ModuleKind::Other);
  EXPECT_EQ(find(modules, "visual.blocks.0.norm1").kind, ModuleKind::Norm);
  EXPECT_EQ(find(modules, "visual.merger.ln_q").kind, ModuleKind::Norm);
  const auto sets = fused_sets(modules);
  EXPECT_EQ(sets.size(), 2U * 2 + 3);
  EXPECT_EQ(std::count_if(sets.begin(),
                          sets.end(),
                          [&](const std::vector<size_t>& set) {
                            return modules[set[0]].name.starts_with("visual.blocks.") &&
                                   modules[set[0]].name.ends_with(".mlp.gate_proj") &&
                                   modules[set[1]].name.ends_with(".mlp.up_proj");
                          }),
            3);
}

TEST(Names, PhiVisionHasTheLinearsOfItsThreeParts) {
  const std::vector<ModuleInfo> modules = modules_of_model("phi3_v");
  EXPECT_EQ(names_of(modules, ModuleKind::Linear).size(), 2U * 4 + 3U * 6 + 2 + 1);
  EXPECT_EQ(find(modules, "model.vision_embed_tokens.img_projection.2").kind, ModuleKind::Linear);
  EXPECT_EQ(find(modules, "model.vision_embed_tokens").kind, ModuleKind::Other);  // separators
  EXPECT_EQ(fused_sets(modules).size(), 3U);  // q, k, v of the tower; those of the text are one
  // The embedding's other name.
  const std::vector<ModuleInfo> other =
      modules_of({{"model_type", "phi3_v"}}, {{"model.vision_embed_tokens.wte.weight", {320, 64}}});
  EXPECT_EQ(find(other, "model.vision_embed_tokens.wte").kind, ModuleKind::Embedding);
}

TEST(Names, CogVlm2HasTheLinearsOfBothExperts) {
  const std::vector<ModuleInfo> modules = modules_of_model("cogvlm2");
  EXPECT_THAT(names_of(modules, ModuleKind::Other),
              testing::UnorderedElementsAre("model.layers.0.self_attn.rotary_emb",
                                            "model.layers.1.self_attn.rotary_emb",
                                            "model.vision",
                                            "model.vision.conv",
                                            "model.vision.patch_embedding",
                                            "model.vision.patch_embedding.proj"));
  EXPECT_THAT(names_of(modules, ModuleKind::Embedding),
              testing::UnorderedElementsAre("model.embed_tokens",
                                            "model.vision.patch_embedding.position_embedding"));
  // Text: 2 layers of 2 · (2 + 3); vision: 2 layers of 4; projector; head.
  EXPECT_EQ(names_of(modules, ModuleKind::Linear).size(), 2U * 10 + 2U * 4 + 4 + 1);
  for (const char* linear : {"model.layers.0.self_attn.vision_expert_query_key_value",
                             "model.layers.1.self_attn.language_expert_dense",
                             "model.layers.1.mlp.vision_mlp.gate_proj",
                             "model.vision.transformer.layers.0.attention.query_key_value",
                             "model.vision.linear_proj.linear_proj",
                             "model.vision.linear_proj.gate_proj"}) {
    EXPECT_EQ(find(modules, linear).kind, ModuleKind::Linear) << linear;
  }
}

TEST(Names, CogVlm2sExpertsAreEachOnesOwn) {
  const std::vector<ModuleInfo> modules = modules_of_model("cogvlm2");
  std::vector<std::string> fused;
  for (const auto& set : fused_sets(modules)) {
    fused.push_back(modules[set.front()].name);
  }
  EXPECT_THAT(fused,
              testing::UnorderedElementsAre("model.layers.0.mlp.language_mlp.gate_proj",
                                            "model.layers.0.mlp.vision_mlp.gate_proj",
                                            "model.layers.1.mlp.language_mlp.gate_proj",
                                            "model.layers.1.mlp.vision_mlp.gate_proj"));
}

TEST(Names, NewNamesHaveTheOldOnesAsAliases) {
  const json config{{"model_type", "qwen2_vl"}};
  const std::vector<ModuleInfo> modules =
      modules_of(config,
                 {{"model.language_model.layers.0.mlp.up_proj.weight", {4, 4}},
                  {"model.visual.blocks.0.attn.qkv.weight", {4, 4}}});
  EXPECT_THAT(find(modules, "model.language_model.layers.0.mlp.up_proj").aliases,
              ElementsAre("model.layers.0.mlp.up_proj"));
  EXPECT_THAT(find(modules, "model.visual.blocks.0.attn.qkv").aliases,
              ElementsAre("visual.blocks.0.attn.qkv"));
}

TEST(Names, ATiedHeadIsAModuleWithoutTensor) {
  const std::vector<NamedShape> tensors{{"model.embed_tokens.weight", {8, 4}}};
  const json tied{{"architectures", {"LlamaForCausalLM"}}, {"tie_word_embeddings", true}};
  const std::vector<ModuleInfo> modules = modules_of(tied, tensors);
  const ModuleInfo& head = find(modules, "lm_head");
  EXPECT_TRUE(head.tied);
  EXPECT_EQ(head.kind, ModuleKind::Linear);
  EXPECT_FALSE(head.weight);
  EXPECT_EQ(modules.size(), 2U);

  const json untied{{"architectures", {"LlamaForCausalLM"}}, {"tie_word_embeddings", false}};
  EXPECT_EQ(modules_of(untied, tensors).size(), 1U);
}

TEST(Names, ATiedHeadThatIsStoredAllTheSameIsTied) {
  const json config{{"text_config", {{"tie_word_embeddings", true}}}};
  const std::vector<ModuleInfo> modules =
      modules_of(config,
                 {{"language_model.model.embed_tokens.weight", {8, 4}},
                  {"language_model.lm_head.weight", {8, 4}}});
  EXPECT_TRUE(find(modules, "language_model.lm_head").tied);
}

TEST(Names, TransposedWeightsAreNotSupported) {
  try {
    modules_of({{"model_type", "gpt2"}}, {{"h.0.attn.c_attn.weight", {4, 12}}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Unsupported);
    EXPECT_STREQ(error.what(),
                 "config.json: model type 'gpt2' stores its weights transposed (Conv1D), which is "
                 "not supported");
  }
}

TEST(Names, FusedSetsAreWhatServingEnginesLoadAsOne) {
  const std::vector<ModuleInfo> modules = modules_of(json::object(),
                                                     {{"l.0.self_attn.q_proj.weight", {4, 4}},
                                                      {"l.0.self_attn.k_proj.weight", {4, 4}},
                                                      {"l.0.self_attn.v_proj.weight", {4, 4}},
                                                      {"l.0.self_attn.o_proj.weight", {4, 4}},
                                                      {"l.0.mlp.gate_proj.weight", {4, 4}},
                                                      {"l.0.mlp.up_proj.weight", {4, 4}},
                                                      {"l.1.self_attn.q_proj.weight", {4, 4}}});
  std::vector<std::vector<std::string>> sets;
  for (const auto& set : fused_sets(modules)) {
    sets.emplace_back();
    for (const size_t member : set) {
      sets.back().push_back(modules[member].name);
    }
  }
  EXPECT_THAT(
      sets,
      ElementsAre(
          ElementsAre("l.0.self_attn.q_proj", "l.0.self_attn.k_proj", "l.0.self_attn.v_proj"),
          ElementsAre("l.0.mlp.gate_proj", "l.0.mlp.up_proj")));
}

}  // namespace
}  // namespace oneshot
