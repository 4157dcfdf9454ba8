// The images of the sequences that go through a model together.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "engine/graph/image_input.h"

namespace oneshot {

/// What the family's processor makes of the images of a text. For many threads at once.
using LoadImages = std::function<ImageInput(std::span<const std::filesystem::path> files)>;

/// The images of sequences. Several sequences may have the same ones.
struct SequenceImages {
  std::vector<std::optional<size_t>> of;  // number of a sequence's images; empty: none has any
  /// What the family's processor makes of images, by their number. For many threads at once.
  std::function<ImageInput(size_t number)> load = {};
};

}  // namespace oneshot
