// The families of tests/data/calibration/images, and a reader that knows their images by name.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/calibration/calibration_data.h"
#include "tests/calibration/small_calibration.h"

namespace oneshot {

inline const std::filesystem::path kImageData = ONESHOT_TEST_DATA "/calibration/images";

inline nlohmann::json read_json(const std::filesystem::path& file) {
  return nlohmann::json::parse(read_file(file));
}

/// Takes sizes and tokens from expected.json; every other file is no image to it.
class KnownImages : public ImageReader {
 public:
  KnownImages(const nlohmann::json& expected, const std::string& family)
      : sizes_(expected.at("sizes")), tokens_(expected.at("families").at(family).at("tokens")) {}

  ImageSize size(const std::filesystem::path& file) const override {
    const auto found = sizes_.find(file.filename().string());
    if (found == sizes_.end()) {
      throw Error(ErrorCode::Checkpoint, file.filename().string() + ": not an image");
    }
    return {found->at(0), found->at(1)};
  }

  int64_t tokens(ImageSize size) const override {
    for (const auto& [name, known] : sizes_.items()) {
      if (known.at(0) == size.width && known.at(1) == size.height) {
        return tokens_.at(name);
      }
    }
    return 0;
  }

 private:
  nlohmann::json sizes_, tokens_;
};

/// One family as a model that calibration data is for.
struct ImageModel {
  explicit ImageModel(const std::string& family) {
    folder = kImageData / family;
    tokenizer = Tokenizer::from_folder(folder);
    config = read_json(folder / "config.json");
    expected = read_json(kImageData / "expected.json");
    reader.emplace(expected, family);
    model = {&*tokenizer, folder, 1000, 4096, &*reader, &config};
    expected = expected.at("families").at(family);
  }

  std::filesystem::path folder;
  std::optional<Tokenizer> tokenizer;
  nlohmann::json config;
  std::optional<KnownImages> reader;
  nlohmann::json expected;  // of the family
  CalibratedModel model;
};

/// All rows of a file in its order, with the images of the repository.
inline CalibrationRequest image_request(const std::filesystem::path& file, int64_t samples) {
  CalibrationRequest request = request_for(file, samples, 512);
  request.extra_data_dir = kImageData / "files";
  return request;
}

}  // namespace oneshot
