// The images and figures that tests/data/vision/make.py made with Pillow and Transformers.
#pragma once

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/checkpoint/sha256.h"
#include "engine/vision/image.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {

inline const std::string kVisionData = ONESHOT_TEST_DATA "/vision/";

inline std::string image_file(const std::string& name) {
  return kVisionData + "images/" + name;
}

inline std::string file_bytes(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline nlohmann::json vision_json(const std::string& name) {
  return nlohmann::json::parse(file_bytes(kVisionData + name));
}

inline std::string sha256_of(const std::vector<uint8_t>& bytes) {
  return sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

/// Writes the JSON files of a case.
inline void write_json_files(const TemporaryFolder& folder, const nlohmann::json& files) {
  for (const auto& [name, content] : files.items()) {
    write_file(folder.path() / name, content.dump());
  }
}

}  // namespace oneshot
