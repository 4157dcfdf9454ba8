#include "engine/vision/image_files.h"

#include <vector>

namespace oneshot {

void ImageFiles::open() const {
  std::call_once(opened_, [this] {
    geometry_ = make_image_geometry(folder_, config_);
    processor_ = make_image_processor(folder_, config_);
  });
}

ImageSize ImageFiles::size(const std::filesystem::path& file) const {
  return read_image(file).size();
}

int64_t ImageFiles::tokens(ImageSize size) const {
  open();
  return geometry_->tokens(size.width, size.height);
}

ImageInput ImageFiles::load(std::span<const std::filesystem::path> files) const {
  std::vector<Image> images;
  for (const std::filesystem::path& file : files) {
    images.push_back(read_image(file));
  }
  open();
  return processor_->process(images);
}

std::filesystem::path processor_folder(const std::filesystem::path& checkpoint,
                                       const std::filesystem::path& tower) {
  const bool own = std::filesystem::exists(checkpoint / "preprocessor_config.json") ||
                   std::filesystem::exists(checkpoint / "processor_config.json");
  return own || tower.empty() ? checkpoint : tower;
}

}  // namespace oneshot
