#include "engine/graph/image_family.h"

#include <array>
#include <string_view>

#include "engine/error.h"
#include "engine/graph/family_names.h"

namespace oneshot {
namespace {

struct Family {
  std::string_view name;  // see model_family()
  ImageFamily family;
};

constexpr std::array<Family, 7> kFamilies{{
    {"llava", ImageFamily::Llava},
    {"llava_llama", ImageFamily::LlavaOriginal},
    {"qwen2_vl", ImageFamily::Qwen2Vl},
    {"qwen2_5_vl", ImageFamily::Qwen2Vl},
    {"mllama", ImageFamily::Mllama},
    {"phi3_v", ImageFamily::Phi3V},
    {"cogvlm2", ImageFamily::CogVlm2},
}};

}  // namespace

std::optional<ImageFamily> image_family(const nlohmann::json& config) {
  const std::string name = model_family(config);
  for (const Family& known : kFamilies) {
    if (known.name == name) {
      return known.family;
    }
  }
  return std::nullopt;
}

ImageFamily required_image_family(const nlohmann::json& config) {
  if (const auto family = image_family(config)) {
    return *family;
  }
  throw Error(ErrorCode::Unsupported,
              "config.json: not of a family whose images are known here; those of llava, qwen2_vl, "
              "qwen2_5_vl, mllama, phi3_v and cogvlm2 are");
}

const char* family_name(ImageFamily family) {
  switch (family) {
    case ImageFamily::Llava:
      return "llava";
    case ImageFamily::LlavaOriginal:
      return "llava_llama";
    case ImageFamily::Qwen2Vl:
      return "qwen2_vl";
    case ImageFamily::Mllama:
      return "mllama";
    case ImageFamily::Phi3V:
      return "phi3_v";
    case ImageFamily::CogVlm2:
      return "cogvlm2";
  }
  return "";
}

std::string image_mark(ImageFamily family, int64_t number) {
  switch (family) {
    case ImageFamily::Llava:
    case ImageFamily::LlavaOriginal:
      return "<image>";
    case ImageFamily::Qwen2Vl:
      return "<|image_pad|>";
    case ImageFamily::Mllama:
      return "<|image|>";
    case ImageFamily::Phi3V:
      return "<|image_" + std::to_string(number) + "|>";
    case ImageFamily::CogVlm2:
      break;
  }
  return "";
}

std::string marks_before_text(ImageFamily family, int64_t first, int64_t last) {
  const bool has_line = family == ImageFamily::Llava || family == ImageFamily::LlavaOriginal ||
                        family == ImageFamily::Phi3V;
  std::string marks;
  for (int64_t number = first; number <= last; ++number) {
    const std::string mark = image_mark(family, number);
    marks += family == ImageFamily::Qwen2Vl ? "<|vision_start|>" + mark + "<|vision_end|>" : mark;
    marks += has_line ? "\n" : "";
  }
  return marks;
}

}  // namespace oneshot
