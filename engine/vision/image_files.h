// The image files of a checkpoint's family: how many tokens they take up, and what the model reads
// of them.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/vision/image_geometry.h"
#include "engine/vision/image_processor.h"
#include "engine/vision/image_reader.h"

namespace oneshot {

class ImageFiles : public ImageReader {
 public:
  /// folder, config: see make_image_processor(), and throws as it.
  ImageFiles(const std::filesystem::path& folder, const nlohmann::json& config);

  ImageSize size(const std::filesystem::path& file) const override;
  int64_t tokens(ImageSize size) const override;
  /// The images of one text, in their order. For many threads at once.
  ImageInput load(std::span<const std::filesystem::path> files) const;

 private:
  std::unique_ptr<ImageGeometry> geometry_;
  std::unique_ptr<ImageProcessor> processor_;
};

/// Where the processor's files of a checkpoint are: in its folder, or in that of a tower that is a
/// checkpoint of its own (empty: there is none), where the checkpoint has none.
std::filesystem::path processor_folder(const std::filesystem::path& checkpoint,
                                       const std::filesystem::path& tower);

}  // namespace oneshot
