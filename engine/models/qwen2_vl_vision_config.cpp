#include "engine/error.h"
#include "engine/models/qwen2_vl_vision.h"

namespace oneshot {
namespace {

constexpr int64_t kLargest = 1'000'000;

void check(bool right, const std::string& message) {
  if (!right) {
    throw Error(ErrorCode::Checkpoint, "config.json: vision_config: " + message);
  }
}

/// A size above 0.
int64_t size_of(const ConfigReader& config, const char* key, int64_t fallback) {
  const int64_t size = config.integer(key, fallback);
  check(size > 0 && size <= kLargest,
        std::string(key) + " must be above 0 and at most " + std::to_string(kLargest) + ", found " +
            std::to_string(size));
  return size;
}

/// What both generations have under the same keys.
QwenVisionConfig read_shared(const ConfigReader& config, std::string prefix) {
  QwenVisionConfig vision;
  vision.layers = size_of(config, "depth", 32);
  vision.heads = size_of(config, "num_heads", 16);
  vision.channels = size_of(config, "in_channels", 3);
  vision.patch_size = size_of(config, "patch_size", 14);
  vision.frames_a_patch = size_of(config, "temporal_patch_size", 2);
  vision.grid.merge = size_of(config, "spatial_merge_size", 2);
  vision.prefix = std::move(prefix);
  return vision;
}

void check_heads(const QwenVisionConfig& vision, const char* key) {
  check(vision.hidden_size % (4 * vision.heads) == 0,
        std::string(key) + " " + std::to_string(vision.hidden_size) + " does not make " +
            std::to_string(vision.heads) + " heads of a multiple of 4");
}

}  // namespace

QwenVisionConfig read_qwen2_vision(const ConfigReader& config, std::string prefix) {
  QwenVisionConfig vision = read_shared(config, std::move(prefix));
  vision.hidden_size = size_of(config, "embed_dim", 1280);
  vision.intermediate_size = vision.hidden_size * size_of(config, "mlp_ratio", 4);
  vision.out_size = size_of(config, "hidden_size", 3584);
  vision.activation = config.text("hidden_act", "quick_gelu");
  check_heads(vision, "embed_dim");
  return vision;
}

QwenVisionConfig read_qwen2_5_vision(const ConfigReader& config, std::string prefix) {
  QwenVisionConfig vision = read_shared(config, std::move(prefix));
  vision.second_generation = true;
  vision.hidden_size = size_of(config, "hidden_size", 3584);
  vision.intermediate_size = size_of(config, "intermediate_size", 3420);
  vision.out_size = size_of(config, "out_hidden_size", 3584);
  vision.activation = config.text("hidden_act", "silu");
  vision.grid.tokens_per_second = size_of(config, "tokens_per_second", 4);
  const int64_t window = size_of(config, "window_size", 112);
  vision.window = window / vision.patch_size / vision.grid.merge;
  check(vision.window > 0,
        "window_size " + std::to_string(window) + " is smaller than the patches that are merged");
  vision.full_layers = config.has("fullatt_block_indexes")
                           ? config.integers("fullatt_block_indexes")
                           : std::vector<int64_t>{7, 15, 23, 31};
  check_heads(vision, "hidden_size");
  return vision;
}

}  // namespace oneshot
