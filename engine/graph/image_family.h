// The families of models that read images, and how an image stands in their text.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace oneshot {

enum class ImageFamily {
  Llava,          // Hugging Face's layout
  LlavaOriginal,  // liuhaotian's layout
  Qwen2Vl,        // and Qwen2.5-VL
  Mllama,
  Phi3V,
  CogVlm2,
};

/// The family that a config.json names; nothing when it is none of those. A text model of one of
/// them is none either.
std::optional<ImageFamily> image_family(const nlohmann::json& config);

/// The same. throws Unsupported when it is none of those.
ImageFamily required_image_family(const nlohmann::json& config);

/// "llava", "qwen2_vl", …: for messages.
const char* family_name(ImageFamily family);

/// What stands for an image in a text that the family's processor reads: "<image>", "<|image_1|>";
/// `number` counts from 1. CogVLM2 has no mark, its one image stands before the text.
std::string image_mark(ImageFamily family, int64_t number);

/// The marks of images number `first`, first + 1, … `last` as they stand before a message's text in
/// the family's own templates: "<image>\n". Empty when last < first.
std::string marks_before_text(ImageFamily family, int64_t first, int64_t last);

}  // namespace oneshot
