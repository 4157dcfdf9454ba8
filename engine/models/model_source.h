// What a family makes its graph from.
#pragma once

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace oneshot {

/// The config and the tensor names of a checkpoint, which outlive it.
class ModelSource {
 public:
  using HasPrefix = std::function<bool(std::string_view prefix)>;

  /// tower: config of a vision tower that is a checkpoint of its own; null: there is none.
  /// has_prefix: whether the names of tensors begin so; empty: names as the hub has them.
  explicit ModelSource(const nlohmann::json& config,
                       HasPrefix has_prefix = {},
                       const nlohmann::json* tower = nullptr)
      : config_(&config), tower_(tower), has_prefix_(std::move(has_prefix)) {}

  /// Of a SourceCheckpoint or a WrittenCheckpoint.
  template <typename Checkpoint>
  static ModelSource of(const Checkpoint& checkpoint) {
    const auto has_prefix = [&checkpoint](std::string_view prefix) {
      const auto& tensors = checkpoint.tensors();
      return std::any_of(tensors.begin(), tensors.end(), [prefix](const auto& tensor) {
        return tensor.name.starts_with(prefix);
      });
    };
    return ModelSource(checkpoint.config(), has_prefix, checkpoint.tower_config());
  }

  const nlohmann::json& config() const { return *config_; }
  const nlohmann::json* tower_config() const { return tower_; }

  /// True when names of tensors are known, and some begin so.
  bool has_prefix(std::string_view prefix) const { return has_prefix_ && has_prefix_(prefix); }

  /// The first of the prefixes that names of tensors begin with; the first one when none does.
  std::string prefix_of(std::initializer_list<std::string_view> prefixes) const {
    for (const std::string_view prefix : prefixes) {
      if (has_prefix_ && has_prefix_(prefix)) {
        return std::string(prefix);
      }
    }
    return std::string(*prefixes.begin());
  }

 private:
  const nlohmann::json* config_;
  const nlohmann::json* tower_;
  HasPrefix has_prefix_;
};

}  // namespace oneshot
