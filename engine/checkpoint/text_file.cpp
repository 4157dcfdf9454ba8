#include "engine/checkpoint/text_file.h"

#include <fstream>
#include <sstream>

#include "engine/error.h"

namespace oneshot {

std::string read_text_file(const std::filesystem::path& file, const std::string& what) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream || std::filesystem::is_directory(file)) {
    throw Error(ErrorCode::Checkpoint,
                what + " " + file.string() + ": cannot be read; is the path right?");
  }
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

}  // namespace oneshot
