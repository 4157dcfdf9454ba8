#include "engine/graph/block_names.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace oneshot {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

template <size_t N>
bool has_any(std::string_view text, const std::array<std::string_view, N>& parts) {
  return std::any_of(parts.begin(), parts.end(), [text](std::string_view part) {
    return text.find(part) != std::string_view::npos;
  });
}

BlockKind kind_of(std::string_view list) {
  constexpr std::array<std::string_view, 4> kVision{"vision", "visual", "image", "img"};
  constexpr std::array<std::string_view, 2> kSound{"audio", "speech"};
  if (has_any(list, kVision)) {
    return BlockKind::Vision;
  }
  return has_any(list, kSound) ? BlockKind::Other : BlockKind::Language;
}

}  // namespace

std::optional<BlockList> block_list_of(const std::string& module) {
  for (size_t dot = module.find('.'); dot != std::string::npos; dot = module.find('.', dot + 1)) {
    const size_t end = module.find('.', dot + 1);
    if (end == std::string::npos) {
      break;
    }
    if (is_number(std::string_view(module).substr(dot + 1, end - dot - 1))) {
      const std::string list = module.substr(0, dot);
      return BlockList{list, kind_of(list)};
    }
  }
  return std::nullopt;
}

}  // namespace oneshot
