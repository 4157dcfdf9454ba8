#include "engine/vision/image_config.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <vector>

#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"

namespace oneshot {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kProcessorConfig = "processor_config.json";
constexpr const char* kImageProcessor = "image_processor";

/// The image processors of each family, without the ending that names their backend.
std::vector<std::string_view> processor_types(ImageFamily family) {
  switch (family) {
    case ImageFamily::Mllama:
      return {"MllamaImageProcessor"};
    case ImageFamily::Qwen2Vl:
      return {"Qwen2VLImageProcessor", "Qwen2_5_VLImageProcessor"};
    case ImageFamily::Phi3V:
      return {"Phi3VImageProcessor"};
    case ImageFamily::CogVlm2:
      return {};
    default:
      return {"CLIPImageProcessor", "LlavaImageProcessor", "CLIPFeatureExtractor"};
  }
}

void check_processor_type(const ImageConfig& config) {
  const ImageKeys keys = config.processor_keys();
  const char* key =
      keys.has("image_processor_type") ? "image_processor_type" : "feature_extractor_type";
  std::string type = keys.text(key, "");
  for (const std::string_view backend : {"Fast", "Pil"}) {
    if (type.ends_with(backend)) {
      type.resize(type.size() - backend.size());
    }
  }
  const std::vector<std::string_view> known = processor_types(config.family);
  if (!type.empty() && std::find(known.begin(), known.end(), type) == known.end()) {
    keys.refuse(key, std::string(known.front()));
  }
}

void read_processor_files(const fs::path& folder, ImageConfig& config) {
  const fs::path texts_file = folder / kProcessorConfig;
  config.texts = json::object();
  config.texts_file = texts_file.string();
  if (fs::exists(texts_file)) {
    config.texts = read_json_object(texts_file);
  }
  if (config.texts_keys().has(kImageProcessor)) {
    config.texts_keys().section(kImageProcessor);  // is an object
    config.processor = config.texts.at(kImageProcessor);
    config.processor_file = texts_file.string() + ": " + kImageProcessor;
  } else {
    config.processor_file = (folder / "preprocessor_config.json").string();
    config.processor = read_json_object(config.processor_file);
  }
  check_processor_type(config);
  require_flag(config.processor_keys(), "do_convert_rgb", true);
}

}  // namespace

ImageKeys ImageConfig::vision_keys() const {
  if (family != ImageFamily::LlavaOriginal) {
    return model_keys().section("vision_config");
  }
  const ImageKeys keys(tower, "config.json of the vision tower");
  return keys.has("vision_config") ? keys.section("vision_config") : keys;
}

ImageConfig read_image_config(const fs::path& folder, const json& config) {
  ImageConfig read;
  read.family = required_image_family(config);
  read.model = config;
  read.tower = json::object();
  read.processor = json::object();
  read.texts = json::object();
  if (read.family == ImageFamily::CogVlm2) {
    return read;
  }
  if (read.family == ImageFamily::LlavaOriginal && fs::exists(folder / "config.json")) {
    read.tower = read_json_object(folder / "config.json");
  }
  read_processor_files(folder, read);
  return read;
}

PixelScale read_pixel_scale(const ImageKeys& keys,
                            const std::array<double, 3>& mean,
                            const std::array<double, 3>& std) {
  PixelScale scale{1, {0, 0, 0}, {1, 1, 1}};
  if (keys.boolean("do_rescale", true)) {
    scale.factor = keys.number("rescale_factor", 1.0 / 255);
  }
  if (keys.boolean("do_normalize", true)) {
    const std::array<double, 3> means = keys.colours("image_mean", mean);
    const std::array<double, 3> stds = keys.colours("image_std", std);
    for (size_t i = 0; i < means.size(); ++i) {
      scale.mean[i] = static_cast<float>(means[i]);
      scale.std[i] = static_cast<float>(stds[i]);
      if (!(scale.std[i] > 0 && scale.std[i] < std::numeric_limits<float>::infinity())) {
        keys.fail("image_std", "three numbers above 0");
      }
    }
  }
  return scale;
}

ResizeFilter read_filter(const ImageKeys& keys, ResizeFilter fallback) {
  const int64_t filter = keys.integer("resample", static_cast<int64_t>(fallback));
  if (filter < 1 || filter > 3) {
    keys.refuse("resample", "1 (lanczos), 2 (bilinear), 3 (bicubic)");
  }
  return static_cast<ResizeFilter>(filter);
}

void require_flag(const ImageKeys& keys, const char* key, bool value) {
  if (keys.boolean(key, value) != value) {
    keys.refuse(key, value ? "true" : "false");
  }
}

}  // namespace oneshot
