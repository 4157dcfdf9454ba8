#include "engine/vision/image_files.h"

#include <vector>

namespace oneshot {

ImageFiles::ImageFiles(const std::filesystem::path& folder, const nlohmann::json& config)
    : geometry_(make_image_geometry(folder, config)),
      processor_(make_image_processor(folder, config)) {}

ImageSize ImageFiles::size(const std::filesystem::path& file) const {
  return read_image(file).size();
}

int64_t ImageFiles::tokens(ImageSize size) const {
  return geometry_->tokens(size.width, size.height);
}

ImageInput ImageFiles::load(std::span<const std::filesystem::path> files) const {
  std::vector<Image> images;
  for (const std::filesystem::path& file : files) {
    images.push_back(read_image(file));
  }
  return processor_->process(images);
}

std::filesystem::path processor_folder(const std::filesystem::path& checkpoint,
                                       const std::filesystem::path& tower) {
  const bool own = std::filesystem::exists(checkpoint / "preprocessor_config.json") ||
                   std::filesystem::exists(checkpoint / "processor_config.json");
  return own || tower.empty() ? checkpoint : tower;
}

}  // namespace oneshot
