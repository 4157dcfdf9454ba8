// What the files of each family say of sizes.
#include <string>

#include "engine/vision/image_geometry.h"

namespace oneshot {
namespace {

constexpr int64_t kLargestEdge = 4096;
constexpr int64_t kMostTiles = 64;
constexpr int64_t kMostPatchEdge = 256;

void require_same(const ImageKeys& keys, const char* key, int64_t expected, const char* of) {
  if (keys.has(key) && keys.integer(key, 0) != expected) {
    keys.fail(key, std::to_string(expected) + ", as " + of + " says");
  }
}

/// A square written as a number or as {height, width}.
std::optional<ImageSize> read_size(const ImageKeys& keys, const char* key) {
  if (!keys.has(key)) {
    return std::nullopt;
  }
  if (!keys.is_object(key)) {
    const int64_t edge = keys.size(key, kLargestEdge);
    return ImageSize{edge, edge};
  }
  const ImageKeys size = keys.section(key);
  return ImageSize{size.size("width", kLargestEdge), size.size("height", kLargestEdge)};
}

void read_clip_resize(const ImageKeys& keys, ClipSizes& sizes) {
  if (!keys.boolean("do_resize", true)) {
    return;
  }
  if (!keys.is_object("size")) {
    sizes.shortest_edge = keys.size("size", 224, kLargestEdge);  // a number means the short edge
    return;
  }
  const ImageKeys size = keys.section("size");
  if (!size.has("shortest_edge")) {
    sizes.exact = read_size(keys, "size");
    return;
  }
  if (size.has("longest_edge")) {
    size.refuse("longest_edge", "'shortest_edge' alone, or 'height' and 'width'");
  }
  sizes.shortest_edge = size.size("shortest_edge", kLargestEdge);
}

/// As the original code, or as the processor of Transformers that is named after LLaVA.
bool read_pad_to_square(const ImageConfig& config) {
  const ImageKeys keys = config.processor_keys();
  if (config.family == ImageFamily::LlavaOriginal) {
    const std::string ratio = config.model_keys().text("image_aspect_ratio", "square");
    if (ratio != "pad" && ratio != "square") {
      config.model_keys().refuse("image_aspect_ratio", "\"pad\", \"square\"");
    }
    return ratio == "pad";
  }
  if (keys.text("image_processor_type", "").starts_with("LlavaImageProcessor")) {
    return keys.boolean("do_pad", false);
  }
  require_flag(keys, "do_pad", false);
  return false;
}

/// Whether the class token is among the places of an image.
bool read_class_token(const ImageConfig& config) {
  const ImageKeys keys = config.model_keys();
  const bool original = config.family == ImageFamily::LlavaOriginal;
  const char* key = original ? "mm_vision_select_feature" : "vision_feature_select_strategy";
  const std::string without = original ? "patch" : "default";
  const std::string with = original ? "cls_patch" : "full";
  const std::string strategy = keys.text(key, without);
  if (strategy != with && strategy != without) {
    keys.refuse(key, "\"" + without + "\", \"" + with + "\"");
  }
  if (!original && config.texts_keys().text(key, strategy) != strategy) {
    config.texts_keys().fail(key, "\"" + strategy + "\", as config.json says");
  }
  return strategy == with;
}

/// The places of an image that has the size of the tower.
int64_t read_clip_tokens(const ImageConfig& config, ImageSize size) {
  const ImageKeys vision = config.vision_keys();
  // Without a vision_config it is CLIP ViT-L/14-336; absent keys of one are those of its class.
  const bool given = vision.has("patch_size") || vision.has("image_size");
  const int64_t edge = given ? vision.size("image_size", 224, kLargestEdge) : size.width;
  const int64_t patch =
      given ? vision.size("patch_size", 32, kMostPatchEdge) : std::min<int64_t>(14, edge);
  if (size != ImageSize{edge, edge}) {
    config.processor_keys().fail(
        config.processor_keys().boolean("do_center_crop", true) ? "crop_size" : "size",
        std::to_string(edge) + " x " + std::to_string(edge) + ", as the tower's image_size says");
  }
  require_same(config.texts_keys(), "patch_size", patch, "the vision tower");
  return (edge / patch) * (edge / patch) + (read_class_token(config) ? 1 : 0);
}

}  // namespace

ClipSizes read_clip_sizes(const ImageConfig& config) {
  const ImageKeys keys = config.processor_keys();
  ClipSizes sizes;
  sizes.pad_to_square = read_pad_to_square(config);
  read_clip_resize(keys, sizes);
  if (keys.boolean("do_center_crop", true)) {
    sizes.crop = read_size(keys, "crop_size").value_or(ImageSize{224, 224});
  } else if (!sizes.exact && !(sizes.pad_to_square && sizes.shortest_edge > 0)) {
    keys.refuse("do_center_crop", "true, or a 'size' of 'height' and 'width'");
  }
  const ImageSize square{sizes.shortest_edge, sizes.shortest_edge};
  sizes.tokens = read_clip_tokens(config, sizes.crop.value_or(sizes.exact.value_or(square)));
  return sizes;
}

Qwen2VlSizes read_qwen2_vl_sizes(const ImageConfig& config) {
  const ImageKeys keys = config.processor_keys();
  const ImageKeys vision = config.vision_keys();
  require_flag(keys, "do_resize", true);
  Qwen2VlSizes sizes;
  sizes.patch = keys.size("patch_size", sizes.patch, kMostPatchEdge);
  sizes.frames = keys.size("temporal_patch_size", sizes.frames, kMostPatchEdge);
  sizes.merge = keys.size("merge_size", sizes.merge, kMostPatchEdge);
  require_same(vision, "patch_size", sizes.patch, "the processor");
  require_same(vision, "temporal_patch_size", sizes.frames, "the processor");
  require_same(vision, "spatial_merge_size", sizes.merge, "the processor");
  const auto limit = [&](const char* key, const char* edge, int64_t fallback) {
    if (keys.has(key)) {
      return keys.size(key, kMostPixels);
    }
    return keys.has("size") ? keys.section("size").size(edge, kMostPixels) : fallback;
  };
  sizes.min_pixels = limit("min_pixels", "shortest_edge", sizes.min_pixels);
  sizes.max_pixels = limit("max_pixels", "longest_edge", sizes.max_pixels);
  return sizes;
}

MllamaSizes read_mllama_sizes(const ImageConfig& config) {
  const ImageKeys keys = config.processor_keys();
  require_flag(keys, "do_resize", true);
  require_flag(keys, "do_pad", true);
  const ImageSize tile = read_size(keys, "size").value_or(ImageSize{224, 224});
  if (tile.width != tile.height) {
    keys.fail("size", "as high as wide");
  }
  MllamaSizes sizes{tile.width, keys.size("max_image_tiles", 4, kMostTiles)};
  require_same(config.vision_keys(), "image_size", sizes.tile, "the processor's size");
  require_same(config.vision_keys(), "max_num_tiles", sizes.most_tiles, "max_image_tiles");
  return sizes;
}

Phi3VSizes read_phi3_v_sizes(const ImageConfig& config) {
  const ImageKeys tower = config.model_keys().section("img_processor");
  Phi3VSizes sizes;
  sizes.crop = tower.size("image_size", sizes.crop, kLargestEdge);
  sizes.patch = tower.size("patch_size", sizes.patch, kMostPatchEdge);
  sizes.most_crops = config.processor_keys().size("num_crops", sizes.most_crops, kMostTiles);
  if (sizes.crop % (2 * sizes.patch) != 0) {
    tower.fail("image_size", "a multiple of two patches");
  }
  const int64_t edge = sizes.crop / sizes.patch / 2;
  require_same(tower, "num_img_tokens", edge * edge, "image_size");
  return sizes;
}

CogVlm2Sizes read_cogvlm2_sizes(const ImageConfig& config) {
  const ImageKeys vision = config.vision_keys();
  CogVlm2Sizes sizes;
  sizes.edge = vision.size("image_size", sizes.edge, kLargestEdge);
  sizes.patch = vision.size("patch_size", sizes.patch, kMostPatchEdge);
  if (sizes.edge % (2 * sizes.patch) != 0) {
    vision.fail("image_size", "a multiple of two patches");
  }
  return sizes;
}

}  // namespace oneshot
