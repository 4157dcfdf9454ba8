// Which files of a checkpoint say how its images are prepared, and what they say.
#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/graph/image_family.h"
#include "engine/vision/image_keys.h"
#include "engine/vision/resize.h"

namespace oneshot {

/// What the files of a checkpoint say of its images.
// NOLINTNEXTLINE(bugprone-exception-escape): the checker follows json's own assertions
struct ImageConfig {
  ImageFamily family = ImageFamily::Llava;
  nlohmann::json model;      // config.json
  nlohmann::json tower;      // config.json of a tower in a folder of its own; else empty
  nlohmann::json processor;  // keys of the image processor
  nlohmann::json texts;      // processor_config.json, on images in a text; else empty
  std::string processor_file, texts_file;  // for messages

  ImageKeys model_keys() const { return {model, "config.json"}; }
  ImageKeys processor_keys() const { return {processor, processor_file}; }
  ImageKeys texts_keys() const { return {texts, texts_file}; }
  /// The vision_config of the model, or of the tower of the original LLaVA layout.
  ImageKeys vision_keys() const;
};

/// folder: with preprocessor_config.json or processor_config.json, whose "image_processor" counts
/// before the former, as in Transformers; of the original LLaVA layout, that of the tower.
/// config: config.json of the model. CogVLM2 needs no processor files.
/// throws Checkpoint for files that are missing or damaged; Unsupported for other families and
/// processors of other kinds.
ImageConfig read_image_config(const std::filesystem::path& folder, const nlohmann::json& config);

/// From bytes to numbers: x = float32(double(byte) · factor), then (x - mean) / std in float32.
struct PixelScale {
  double factor = 1.0 / 255;
  std::array<float, 3> mean = {};
  std::array<float, 3> std = {};
};

/// Of OpenAI's CLIP, which all families have on the hub.
constexpr std::array<double, 3> kClipMean{0.48145466, 0.4578275, 0.40821073};
constexpr std::array<double, 3> kClipStd{0.26862954, 0.26130258, 0.27577711};

/// From do_rescale, rescale_factor, do_normalize, image_mean and image_std. Fallbacks: 1/255, and
/// these.
PixelScale read_pixel_scale(const ImageKeys& keys,
                            const std::array<double, 3>& mean = kClipMean,
                            const std::array<double, 3>& std = kClipStd);

/// From resample. throws Unsupported for the filters that no family has.
ResizeFilter read_filter(const ImageKeys& keys, ResizeFilter fallback);

/// throws Unsupported when the key is not `value` or absent.
void require_flag(const ImageKeys& keys, const char* key, bool value);

}  // namespace oneshot
