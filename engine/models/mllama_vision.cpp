#include "engine/models/mllama_vision.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/models/mllama_vision_blocks.h"

namespace oneshot {
namespace {

constexpr const char* kWhere = "config.json: vision_config";
constexpr int64_t kMostLayers = 10'000;

void check(bool right, const std::string& message) {
  if (!right) {
    throw Error(ErrorCode::Checkpoint, std::string(kWhere) + ": " + message);
  }
}

/// Tiles of each of the pairs high × wide.
std::vector<int64_t> read_ratios(const nlohmann::json& section, int64_t most) {
  const auto found = section.find("supported_aspect_ratios");
  if (found == section.end() || found->is_null()) {
    check(most == 4, "max_num_tiles must be 4 where supported_aspect_ratios is not given");
    return {1, 2, 3, 4, 2, 4, 3, 4};
  }
  std::vector<int64_t> tiles;
  const bool is_list = found->is_array() && !found->empty();
  for (const nlohmann::json& pair : is_list ? *found : nlohmann::json::array({0})) {
    const bool whole = pair.is_array() && pair.size() == 2 && pair[0].is_number_integer() &&
                       pair[1].is_number_integer();
    const int64_t high = whole ? pair[0].get<int64_t>() : 0;
    const int64_t wide = whole ? pair[1].get<int64_t>() : 0;
    check(high > 0 && wide > 0 && high <= most && wide <= most && high * wide <= most,
          "supported_aspect_ratios must be a list of pairs of at most " + std::to_string(most) +
              " tiles, found " + found->dump().substr(0, 80));
    tiles.push_back(high * wide);
  }
  return tiles;
}

std::vector<int64_t> read_feature_layers(const ConfigReader& config, int64_t layers) {
  std::vector<int64_t> read = config.integers("intermediate_layers_indices", {3, 7, 15, 23, 30});
  check(!read.empty(), "intermediate_layers_indices must not be empty");
  int64_t before = -1;
  for (const int64_t layer : read) {
    check(layer > before && layer <= layers,
          "intermediate_layers_indices must grow and stay within the " + std::to_string(layers) +
              " layers");
    before = layer;
  }
  return read;
}

void check_ratio_ids(const MllamaVisionConfig& config, const at::Tensor& ids) {
  if (ids.numel() > 0 &&
      (ids.min().item<int64_t>() < 0 || ids.max().item<int64_t>() >= config.ratio_ids())) {
    throw Error(ErrorCode::Checkpoint,
                "an image has the aspect ratio id " + std::to_string(ids.max().item<int64_t>()) +
                    ", config.json has " + std::to_string(config.ratio_ids() - 1) +
                    " ratios; do preprocessor_config.json and config.json belong together?");
  }
}

void check_sizes(const MllamaVisionConfig& vision) {
  check(vision.hidden_size > 0 && vision.intermediate_size > 0 && vision.heads > 0 &&
            vision.hidden_size % vision.heads == 0 && vision.layers > 0 &&
            vision.layers <= kMostLayers && vision.global_layers >= 0 &&
            vision.global_layers <= kMostLayers && vision.patch_size > 0 && vision.channels > 0 &&
            vision.image_size >= vision.patch_size && vision.image_size < 100'000 &&
            vision.tiles > 0 && vision.tiles <= 1000,
        "impossible sizes: hidden_size, intermediate_size, num_hidden_layers, num_global_layers, "
        "attention_heads, image_size, patch_size and max_num_tiles must fit");
}

}  // namespace

MllamaVisionConfig read_mllama_vision(const nlohmann::json& json) {
  const ConfigReader config = ConfigReader(json, "config.json").section("vision_config");
  MllamaVisionConfig vision;
  vision.hidden_size = config.integer("hidden_size", vision.hidden_size);
  vision.intermediate_size = config.integer("intermediate_size", vision.intermediate_size);
  vision.heads =
      config.integer("attention_heads", config.integer("num_attention_heads", vision.heads));
  vision.layers = config.integer("num_hidden_layers", vision.layers);
  vision.global_layers = config.integer("num_global_layers", vision.global_layers);
  vision.image_size = config.integer("image_size", vision.image_size);
  vision.patch_size = config.integer("patch_size", vision.patch_size);
  vision.channels = config.integer("num_channels", vision.channels);
  vision.tiles = config.integer("max_num_tiles", vision.tiles);
  vision.norm_epsilon = config.number("norm_eps", vision.norm_epsilon);
  vision.activation = config.text("hidden_act", vision.activation);
  check_sizes(vision);
  vision.feature_layers = read_feature_layers(config, vision.layers);
  vision.tiles_of_ratio =
      read_ratios(json.value("vision_config", nlohmann::json::object()), vision.tiles);
  const int64_t features = config.integer("vision_output_dim", vision.features());
  check(features == vision.features(),
        "vision_output_dim is " + std::to_string(features) +
            ", the last state and the intermediate ones have " + std::to_string(vision.features()));
  return vision;
}

at::Tensor mllama_tiles(const MllamaVisionConfig& config, const ImageInput& images) {
  const at::Tensor ids = images.at("aspect_ratio_ids").reshape({-1});
  const auto mask = images.find("aspect_ratio_mask");
  if (mask != images.end()) {
    if (mask->second.numel() != ids.numel() * config.tiles) {
      throw Error(ErrorCode::Checkpoint,
                  "aspect_ratio_mask has " + std::to_string(mask->second.numel()) +
                      " tiles for images that have " + std::to_string(ids.numel() * config.tiles) +
                      "; do preprocessor_config.json and config.json belong together?");
    }
    return mask->second.reshape({-1, config.tiles}).ne(0);
  }
  at::Tensor tiles = at::zeros({ids.size(0), config.tiles}, at::kBool);
  for (int64_t i = 0; i < ids.size(0); ++i) {
    const int64_t id = ids[i].item<int64_t>();
    // An image that is not there has its first tile all the same, as the processor says.
    const int64_t count = id == 0 ? 1 : config.tiles_of_ratio[static_cast<size_t>(id - 1)];
    tiles[i].narrow(0, 0, count).fill_(true);
  }
  return tiles;
}

std::unique_ptr<VisionTower> make_mllama_tower(const MllamaVisionConfig& config) {
  auto tower = std::make_unique<VisionTower>();
  const auto add_layers = [&](const std::string& encoder, int64_t count, bool gated) {
    for (int64_t i = 0; i < count; ++i) {
      tower->blocks.push_back(make_mllama_vision_layer(
          config, config.prefix + encoder + ".layers." + std::to_string(i), gated));
    }
  };
  tower->blocks.push_back(make_mllama_embedding(config));
  add_layers("transformer", config.layers, false);
  tower->blocks.push_back(make_mllama_post_norm(config));
  add_layers("global_transformer", config.global_layers, true);
  tower->blocks.push_back(make_mllama_projector(config));
  for (const int64_t layer : config.feature_layers) {
    tower->kept.push_back(static_cast<size_t>(layer));  // block i gives what enters layer i
  }
  tower->context = [config](const ImageInput& images, at::ScalarType) {
    const auto ids = images.find("aspect_ratio_ids");
    if (ids == images.end()) {
      throw Error(ErrorCode::Failed, "the images of a text came without aspect_ratio_ids");
    }
    check_ratio_ids(config, ids->second);
    if (!mllama_tiles(config, images).any(1).all().item<bool>()) {
      throw Error(ErrorCode::Checkpoint, "aspect_ratio_mask has an image without a tile");
    }
    return BlockContext{};
  };
  tower->most_rows = config.tiles * config.tokens();
  tower->shapes = [config](const ImageInput& images) {
    const int64_t count = images.at("aspect_ratio_ids").numel();
    return TowerShapes{{count, config.tiles * config.padded_tokens(), config.hidden_size},
                       {count * config.tiles, config.tokens(), config.text_size}};
  };
  return tower;
}

}  // namespace oneshot
