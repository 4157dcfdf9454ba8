// LLaVA-1.5: CLIP, a projector of two Linears, Llama. In the layout of Transformers and in the
// original one. Source: arXiv:2310.03744.
#include <ATen/ATen.h>

#include <iterator>
#include <set>

#include "engine/error.h"
#include "engine/models/clip_vision.h"
#include "engine/models/config_reader.h"
#include "engine/models/decoder.h"
#include "engine/models/families.h"
#include "engine/models/vision_layers.h"

namespace oneshot {
namespace {

/// Features of the chosen layers, with or without the class token, through the projector.
class LlavaProjector : public Block {
 public:
  struct Config {
    std::string name;                  // of the block
    std::vector<std::string> linears;  // with the activation between two of them
    int64_t in = 0, out = 0;
    std::vector<size_t> features = {};  // which of the kept states, in the order of their columns
    bool bias = true;
    bool class_token = false;  // whether its row is kept
    Activation activation = nullptr;
  };

  explicit LlavaProjector(const Config& config)
      : name_(config.name),
        features_(config.features),
        class_token_(config.class_token),
        activation_(config.activation) {
    for (size_t i = 0; i < config.linears.size(); ++i) {
      linears_.push_back(std::make_unique<Linear>(
          config.linears[i], i == 0 ? config.in : config.out, config.out, config.bias));
    }
  }

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor&, const BlockContext& context) override {
    std::vector<at::Tensor> features;
    for (const size_t state : features_) {
      features.push_back(context.kept.at(state));
    }
    at::Tensor x = at::cat(features, -1);
    x = class_token_ ? x : x.narrow(1, 1, x.size(1) - 1);
    for (size_t i = 0; i < linears_.size(); ++i) {
      x = linears_[i]->forward(i == 0 ? x : activation_(x));
    }
    return x;
  }

  std::vector<Module*> modules() override {
    std::vector<Module*> all;
    for (const auto& linear : linears_) {
      all.push_back(linear.get());
    }
    return all;
  }

 private:
  std::string name_;
  std::vector<size_t> features_;
  bool class_token_;
  Activation activation_;
  std::vector<std::unique_ptr<Linear>> linears_;
};

std::unique_ptr<VisionTower> make_tower(const ClipVisionConfig& clip,
                                        const std::vector<int64_t>& feature_layers,
                                        LlavaProjector::Config projector) {
  auto tower = std::make_unique<VisionTower>();
  std::set<size_t> states;
  for (const int64_t layer : feature_layers) {
    states.insert(clip_state(clip, layer));
  }
  tower->kept.assign(states.begin(), states.end());
  for (const int64_t layer : feature_layers) {
    const auto place = states.find(clip_state(clip, layer));
    projector.features.push_back(static_cast<size_t>(std::distance(states.begin(), place)));
  }
  tower->blocks = clip_blocks(clip);
  tower->unused = static_cast<size_t>(clip.layers) - tower->kept.back();
  projector.in = clip.hidden_size * static_cast<int64_t>(feature_layers.size());
  tower->blocks.push_back(std::make_unique<LlavaProjector>(projector));
  tower->context = [](const ImageInput&, at::ScalarType) { return BlockContext{}; };
  const int64_t rows = clip.patches() + (projector.class_token ? 1 : 0);
  tower->most_rows = rows;
  tower->shapes = [tokens = clip.patches() + 1,
                   rows,
                   hidden = clip.hidden_size,
                   out = projector.out](const ImageInput& images) {
    const int64_t count = images.at("pixel_values").size(0);
    return TowerShapes{{count, tokens, hidden}, {count, rows, out}};
  };
  return tower;
}

/// What LlamaConfig has where a text_config is silent.
nlohmann::json with_llama_defaults(const nlohmann::json& config) {
  nlohmann::json text = {{"hidden_size", 4096},
                         {"intermediate_size", 11008},
                         {"num_hidden_layers", 32},
                         {"num_attention_heads", 32},
                         {"vocab_size", 32000}};
  const auto found = config.find("text_config");
  if (found != config.end() && found->is_object()) {
    text.update(*found);
  }
  return text;
}

DecoderConfig read_text(const nlohmann::json& json) {
  const ConfigReader config(json, "config.json: text_config");
  DecoderConfig decoder = read_decoder(json, 1e-6, 10000);
  decoder.query_bias = decoder.output_bias = config.boolean("attention_bias", false);
  decoder.mlp_bias = config.boolean("mlp_bias", false);
  return decoder;
}

/// The Linears of a projector type of the original layout: linear, mlpNx_gelu.
std::vector<std::string> projector_linears(const std::string& type, const std::string& prefix) {
  if (type == "linear") {
    return {prefix};
  }
  int64_t count = 0;
  if (type.starts_with("mlp") && type.ends_with("x_gelu") && type.size() == 10) {
    count = type[3] - '0';
  }
  if (count < 1 || count > 9) {
    throw Error(ErrorCode::Unsupported,
                "config.json: mm_projector_type '" + type +
                    "' is not supported, only linear and mlp2x_gelu, mlp3x_gelu, …");
  }
  std::vector<std::string> linears;
  for (int64_t i = 0; i < count; ++i) {
    linears.push_back(prefix + "." + std::to_string(2 * i));
  }
  return linears;
}

std::unique_ptr<ModelGraph> make_graph(const DecoderConfig& decoder,
                                       std::unique_ptr<VisionTower> tower,
                                       std::function<at::Tensor(const at::Tensor&)> places) {
  ModelGraph::Parts parts = decoder_parts(decoder);
  parts.tower = std::move(tower);
  parts.image_places = std::move(places);
  return std::make_unique<ModelGraph>(std::move(parts));
}

const nlohmann::json& original_tower_config(const ModelSource& source) {
  if (source.tower_config() != nullptr) {  // that of all of CLIP, or of its vision model alone
    const auto vision = source.tower_config()->find("vision_config");
    return vision != source.tower_config()->end() && vision->is_object() ? *vision
                                                                         : *source.tower_config();
  }
  const auto own = source.config().find("_mm_vision_config");
  if (own != source.config().end() && own->is_object()) {
    return *own;
  }
  // A tower among the checkpoint's own tensors is mostly the one that LLaVA-1.5 was made with.
  static const nlohmann::json kPublished{{"hidden_size", 1024},
                                         {"intermediate_size", 4096},
                                         {"num_hidden_layers", 24},
                                         {"num_attention_heads", 16},
                                         {"image_size", 336},
                                         {"patch_size", 14}};
  const std::string tower =
      ConfigReader(source.config(), "config.json").text("mm_vision_tower", "");
  if (tower.ends_with("clip-vit-large-patch14-336") && source.has_prefix("model.vision_tower.")) {
    return kPublished;
  }
  throw Error(ErrorCode::Checkpoint,
              "config.json: mm_vision_tower " +
                  source.config().value("mm_vision_tower", nlohmann::json()).dump() +
                  " is not in the checkpoint; name its folder with `model: {vision_tower: DIR}` or "
                  "--vision-tower DIR");
}

}  // namespace

std::unique_ptr<ModelGraph> make_llava(const ModelSource& source) {
  const ConfigReader config(source.config(), "config.json");
  const nlohmann::json text = with_llama_defaults(source.config());
  DecoderConfig decoder = read_text(text);
  decoder.tied_head = config.boolean("tie_word_embeddings", decoder.tied_head);
  decoder.prefix = source.prefix_of({"language_model.model.", "model.language_model."});
  const bool is_old = decoder.prefix == "language_model.model.";
  decoder.head = is_old ? "language_model.lm_head" : "lm_head";
  const ClipVisionConfig clip =
      read_clip_vision(config.section("vision_config"),
                       source.prefix_of({"vision_tower.vision_model.",
                                         "model.vision_tower.vision_model.",
                                         "model.vision_tower."}));
  const std::string projector = is_old ? "multi_modal_projector" : "model.multi_modal_projector";
  std::vector<int64_t> layers = config.integers("vision_feature_layer");
  if (layers.empty()) {
    layers = {config.integer("vision_feature_layer", -2)};
  }
  auto tower =
      make_tower(clip,
                 layers,
                 {.name = projector,
                  .linears = {projector + ".linear_1", projector + ".linear_2"},
                  .out = decoder.hidden_size,
                  .bias = config.boolean("multimodal_projector_bias", true),
                  .class_token = config.text("vision_feature_select_strategy", "default") == "full",
                  .activation = activation_of(config.text("projector_hidden_act", "gelu"),
                                              "projector_hidden_act")});
  const int64_t image =
      config.integer("image_token_index", config.integer("image_token_id", 32000));
  return make_graph(
      decoder, std::move(tower), [image](const at::Tensor& ids) { return ids.eq(image); });
}

std::unique_ptr<ModelGraph> make_llava_original(const ModelSource& source) {
  const ConfigReader config(source.config(), "config.json");
  const DecoderConfig decoder = read_text(source.config());
  const ClipVisionConfig clip =
      read_clip_vision(ConfigReader(original_tower_config(source), "the vision tower's config"),
                       "model.vision_tower.vision_tower.vision_model.");
  const std::string projector = "model.mm_projector";
  auto tower = make_tower(
      clip,
      {config.integer("mm_vision_select_layer", -2)},
      {.name = projector,
       .linears = projector_linears(config.text("mm_projector_type", "linear"), projector),
       .out = decoder.hidden_size,
       .class_token = config.text("mm_vision_select_feature", "patch") == "cls_patch",
       .activation = activation_of("gelu", "mm_projector_type")});
  return make_graph(decoder, std::move(tower), [](const at::Tensor& ids) { return ids.lt(0); });
}

}  // namespace oneshot
