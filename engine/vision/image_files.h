// The image files of a checkpoint's family: how many tokens they take up, and what the model reads
// of them.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "engine/vision/image_geometry.h"
#include "engine/vision/image_processor.h"
#include "engine/vision/image_reader.h"

namespace oneshot {

/// The processor's files are opened when the first image is asked for.
class ImageFiles : public ImageReader {
 public:
  /// folder, config: see make_image_processor(), which throws when an image is asked for. config
  /// outlives this.
  ImageFiles(std::filesystem::path folder, const nlohmann::json& config)
      : folder_(std::move(folder)), config_(config) {}

  ImageSize size(const std::filesystem::path& file) const override;
  int64_t tokens(ImageSize size) const override;
  /// The images of one text, in their order. For many threads at once.
  ImageInput load(std::span<const std::filesystem::path> files) const;

 private:
  void open() const;

  std::filesystem::path folder_;
  const nlohmann::json& config_;
  mutable std::once_flag opened_;
  mutable std::unique_ptr<ImageGeometry> geometry_;
  mutable std::unique_ptr<ImageProcessor> processor_;
};

/// Where the processor's files of a checkpoint are: in its folder, or in that of a tower that is a
/// checkpoint of its own (empty: there is none), where the checkpoint has none.
std::filesystem::path processor_folder(const std::filesystem::path& checkpoint,
                                       const std::filesystem::path& tower);

}  // namespace oneshot
