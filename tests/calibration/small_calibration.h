// A request and a model in a few lines: three letters, the tokenizer of tests/text.
#pragma once

#include <string>
#include <vector>

#include "engine/calibration/calibration_data.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"
#include "tests/text/small_tokenizer.h"

namespace oneshot {

/// ids: a 0, b 1, c 2, ab 3, abc 4, <s> 5.
struct SmallModel {
  SmallModel() {
    write_file(folder.path() / "tokenizer.json", small_tokenizer().dump());
    model = {&tokenizer, folder.path(), 6, 100};
  }

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    write_file(folder.path() / name, text);
    return folder.path() / name;
  }

  TemporaryFolder folder;
  Tokenizer tokenizer = read(small_tokenizer());
  CalibratedModel model;
};

/// All rows of a file in its order, when each has that many tokens.
inline CalibrationRequest request_for(const std::filesystem::path& file,
                                      int64_t samples,
                                      int64_t sequence_length) {
  CalibrationRequest request;
  request.datasets = {{.path = file}};
  request.samples = samples;
  request.sequence_length = sequence_length;
  request.shuffle = false;
  request.where = "recipe.yaml:2:1";
  return request;
}

using Rows = std::vector<std::vector<int32_t>>;

}  // namespace oneshot
