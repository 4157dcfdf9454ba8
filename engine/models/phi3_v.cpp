// Phi-3-vision and Phi-3.5-vision: CLIP over crops of an image, which are laid out as one map, and
// Phi-3. Source: arXiv:2404.14219 and the code published with the model.
#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/models/clip_vision.h"
#include "engine/models/config_reader.h"
#include "engine/models/decoder.h"
#include "engine/models/families.h"
#include "engine/models/vision_layers.h"

namespace oneshot {
namespace {

constexpr const char* kVision = "model.vision_embed_tokens.";

/// Crops that an image is cut into, besides the view of the whole.
struct CropGrid {
  int64_t rows, columns;
};

/// images: with "image_sizes", int64 [n, 2], height and width in pixels of what was cut.
/// crops: that all images came with, whole views and padding included, as many each.
std::vector<CropGrid> crop_grids(const ImageInput& images, int64_t crop_size, int64_t crops) {
  const auto found = images.find("image_sizes");
  if (found == images.end()) {
    throw Error(ErrorCode::Failed, "the images of a text came without image_sizes");
  }
  const at::Tensor sizes = found->second.reshape({-1, 2});
  const int64_t count = sizes.size(0);
  if (count == 0 || crops % count != 0) {
    throw Error(ErrorCode::Checkpoint,
                "image_sizes: " + std::to_string(count) + " images do not go with " +
                    std::to_string(crops) + " crops");
  }
  std::vector<CropGrid> grids;
  for (int64_t i = 0; i < count; ++i) {
    const auto height = sizes[i][0].item<int64_t>(), width = sizes[i][1].item<int64_t>();
    const CropGrid grid{height / crop_size, width / crop_size};
    if (height <= 0 || width <= 0 || height % crop_size != 0 || width % crop_size != 0 ||
        grid.rows * grid.columns + 1 > crops / count) {
      throw Error(ErrorCode::Checkpoint,
                  "image_sizes: an image of " + std::to_string(height) + " × " +
                      std::to_string(width) + " pixels does not go with " +
                      std::to_string(crops / count) + " crops of " + std::to_string(crop_size));
    }
    grids.push_back(grid);
  }
  return grids;
}

/// Four neighbouring patches make a row of the map; a separator ends each line of it, and another
/// one stands between the map of the crops and that of the whole view.
class HdProjector : public Block {
 public:
  HdProjector(const ClipVisionConfig& clip, int64_t out)
      : name_(std::string(kVision) + "img_projection"),
        crop_size_(clip.image_size),
        side_(clip.image_size / clip.patch_size / 2),
        width_(4 * clip.hidden_size),
        line_end_(std::string(kVision) + "sub_GN", {1, 1, 1, width_}),
        between_(std::string(kVision) + "glb_GN", {1, 1, width_}),
        up_(name_ + ".0", width_, out, true),
        down_(name_ + ".2", out, out, true) {}

  const std::string& name() const override { return name_; }

  /// → [rows of all images, out].
  at::Tensor forward(const at::Tensor&, const BlockContext& context) override {
    const at::Tensor merged = merge(context.kept.at(0));  // [n · crops, side, side, width]
    const std::vector<CropGrid> grids = crop_grids(*context.images, crop_size_, merged.size(0));
    const int64_t crops = merged.size(0) / static_cast<int64_t>(grids.size());
    std::vector<at::Tensor> rows;
    for (size_t i = 0; i < grids.size(); ++i) {
      const at::Tensor own = merged.narrow(0, static_cast<int64_t>(i) * crops, crops);
      const CropGrid& grid = grids[i];
      rows.push_back(with_line_ends(lay_out(own.narrow(0, 1, grid.rows * grid.columns), grid)));
      rows.push_back(between_.weight.view({1, width_}));
      rows.push_back(with_line_ends(own[0]));
    }
    return down_.forward(at::gelu(up_.forward(at::cat(rows, 0))));
  }

  std::vector<Module*> modules() override { return {&line_end_, &between_, &up_, &down_}; }

  int64_t rows(const CropGrid& grid) const {
    return (grid.rows * grid.columns + 1) * side_ * side_ + 1 + (grid.rows + 1) * side_;
  }

 private:
  /// [n, 1 + patches, hidden] → [n, side, side, 4 · hidden], without the class token.
  at::Tensor merge(const at::Tensor& states) const {
    return states.narrow(1, 1, states.size(1) - 1)
        .reshape({-1, side_, 2, side_, 2, width_ / 4})
        .permute({0, 1, 3, 2, 4, 5})
        .reshape({-1, side_, side_, width_});
  }

  /// Crops row by row, [n, side, side, width] → one map [lines, columns, width].
  at::Tensor lay_out(const at::Tensor& crops, const CropGrid& grid) const {
    return crops.view({grid.rows, grid.columns, side_, side_, width_})
        .permute({0, 2, 1, 3, 4})
        .reshape({grid.rows * side_, grid.columns * side_, width_});
  }

  at::Tensor with_line_ends(const at::Tensor& map) const {
    const at::Tensor ends = line_end_.weight.view({1, 1, width_}).expand({map.size(0), 1, width_});
    return at::cat({map, ends}, 1).flatten(0, 1);
  }

  std::string name_;
  int64_t crop_size_, side_, width_;  // side: of a crop's map
  Parameter line_end_, between_;
  Linear up_, down_;
};

/// ViT-L/14 at 336 pixels, which the published code has in the place of a config. Small checkpoints
/// name other sizes of its layers.
ClipVisionConfig read_clip(const ConfigReader& processor) {
  nlohmann::json sizes = {{"hidden_size", 1024},
                          {"intermediate_size", 4096},
                          {"num_hidden_layers", 24},
                          {"num_attention_heads", 16}};
  for (auto& [key, size] : sizes.items()) {
    const std::string plain = "clip_" + key;
    const int64_t own = processor.integer(plain.c_str(), size.get<int64_t>());
    size = processor.integer(("_" + plain).c_str(), own);
  }
  sizes.update({{"image_size", 336}, {"patch_size", 14}});
  const ClipVisionConfig clip =
      read_clip_vision(ConfigReader(sizes, "config.json: img_processor"),
                       std::string(kVision) + "img_processor.vision_model.");
  const int64_t out = processor.integer("image_dim_out", clip.hidden_size);
  if (out != clip.hidden_size) {
    throw Error(ErrorCode::Checkpoint,
                "config.json: img_processor: image_dim_out " + std::to_string(out) +
                    " is not the tower's hidden size, " + std::to_string(clip.hidden_size));
  }
  return clip;
}

void require(const ConfigReader& section, const char* key, const std::string& known) {
  const std::string found = section.text(key, known);
  if (found != known) {
    throw Error(
        ErrorCode::Unsupported,
        "config.json: " + std::string(key) + " '" + found + "' is not supported, only " + known);
  }
}

void require_true(const ConfigReader& section, const char* key) {
  if (!section.boolean(key, true)) {
    throw Error(ErrorCode::Unsupported,
                "config.json: models with '" + std::string(key) + "': false are not supported");
  }
}

std::unique_ptr<VisionTower> make_tower(const ConfigReader& config, int64_t out) {
  const ConfigReader processor = config.section("img_processor");
  const ConfigReader layout = config.section("embd_layer");
  require(processor, "name", "clip_vision_model");
  require(processor, "type_feature", "patch");
  require(layout, "hd_transform_order", "sub_glb");
  require(layout, "projection_cls", "mlp");
  require_true(layout, "use_hd_transform");
  require_true(layout, "with_learnable_separator");

  const ClipVisionConfig clip = read_clip(processor);
  auto tower = std::make_unique<VisionTower>();
  const size_t state = clip_state(clip, processor.integer("layer_idx", -2));
  tower->kept = {state};
  tower->blocks = clip_blocks(clip);
  tower->unused = static_cast<size_t>(clip.layers) - state;
  auto projector = std::make_unique<HdProjector>(clip, out);
  tower->context = [](const ImageInput&, at::ScalarType) { return BlockContext{}; };
  tower->shapes = [clip, out, last = projector.get()](const ImageInput& images) {
    const at::Tensor& pixels = images.at("pixel_values");  // [n, crops, channels, size, size]
    int64_t rows = 0;
    const int64_t crops = pixels.size(0) * pixels.size(1);
    for (const CropGrid& grid : crop_grids(images, clip.image_size, crops)) {
      rows += last->rows(grid);
    }
    return TowerShapes{{crops, clip.patches() + 1, clip.hidden_size}, {rows, out}};
  };
  tower->blocks.push_back(std::move(projector));
  return tower;
}

}  // namespace

std::unique_ptr<ModelGraph> make_phi3_v(const ModelSource& source) {
  const DecoderConfig decoder = read_phi3(source.config());
  ModelGraph::Parts parts = decoder_parts(decoder);
  // The published code reaches one table by two names, of which a checkpoint keeps one.
  const std::string table =
      source.prefix_of({"model.embed_tokens.weight", "model.vision_embed_tokens.wte.weight"});
  parts.embedding = table.substr(0, table.rfind('.'));
  parts.tower = make_tower(ConfigReader(source.config(), "config.json"), decoder.hidden_size);
  parts.image_places = [](const at::Tensor& ids) { return ids.lt(0); };
  return std::make_unique<ModelGraph>(std::move(parts));
}

}  // namespace oneshot
