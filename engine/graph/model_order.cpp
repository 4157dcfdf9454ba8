#include "engine/graph/model_order.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

namespace oneshot {
namespace {

/// Where parts of a name stand in a model; anything else stands in between, by the alphabet.
constexpr std::array kFirst{"embed_tokens",
                            "wte",
                            "patch_embed",
                            "patch_embedding",
                            "embeddings",
                            "visual",
                            "vision_tower",
                            "vision_model",
                            "vision",
                            "multi_modal_projector",
                            "language_model",
                            "self_attn",
                            "cross_attn",
                            "attn",
                            "attention",
                            "q_proj",
                            "k_proj",
                            "v_proj",
                            "qkv",
                            "qkv_proj",
                            "o_proj",
                            "out_proj",
                            "mlp",
                            "gate_proj",
                            "up_proj",
                            "gate_up_proj",
                            "down_proj",
                            "fc1",
                            "fc2"};
constexpr std::array kLast{
    "input_layernorm", "post_attention_layernorm", "norm", "merger", "score", "lm_head"};

int rank_of(std::string_view part) {
  const auto first = std::find(kFirst.begin(), kFirst.end(), part);
  if (first != kFirst.end()) {
    return static_cast<int>(first - kFirst.begin());
  }
  const auto last = std::find(kLast.begin(), kLast.end(), part);
  const int middle = static_cast<int>(kFirst.size());
  return last == kLast.end() ? middle : middle + 1 + static_cast<int>(last - kLast.begin());
}

std::string_view next_component(std::string_view& rest) {
  const size_t dot = rest.find('.');
  const std::string_view part = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  return part;
}

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failure == std::errc{} && end == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

}  // namespace

bool model_order(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const std::string_view x = next_component(a);
    const std::string_view y = next_component(b);
    if (x == y) {
      continue;
    }
    const auto nx = number(x);
    const auto ny = number(y);
    if (nx && ny && *nx != *ny) {
      return *nx < *ny;
    }
    const int rx = rank_of(x);
    const int ry = rank_of(y);
    return rx != ry ? rx < ry : x < y;
  }
  return a.empty() && !b.empty();
}

}  // namespace oneshot
