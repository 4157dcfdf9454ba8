// Calibration data: from the files that a recipe names to rows of token ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/calibration/dataset_file.h"
#include "engine/calibration/dataset_images.h"
#include "engine/text/tokenizer.h"

namespace oneshot {

/// One file or folder of rows.
struct DatasetRequest {
  std::filesystem::path path;
  std::optional<int64_t> samples;    // exactly so many; nothing: a share of what is left
  std::optional<std::string> field;  // of a row; nothing: see dataset_row.h
  DatasetFormat format = DatasetFormat::Auto;
  std::string where;  // in the recipe, for messages
};

/// What becomes of rows with fewer tokens than a sample.
enum class ShortSamples {
  Drop,  // they fall out
  Pad,   // they stay as short as they are; whoever runs them masks what is missing
  Pack,  // the tokens of all rows, one after the other, are cut into samples
};

/// The `calibration:` of a recipe.
struct CalibrationRequest {
  std::vector<DatasetRequest> datasets;  // at least one
  int64_t samples = 512;
  int64_t sequence_length = 512;  // tokens
  uint64_t seed = 42;
  bool shuffle = true;
  std::optional<ShortSamples> short_samples;  // nothing: Pad a row with an image, Drop others
  bool special_tokens = false;                // around a text; conversations have their template's
  std::string chat_template = "auto";         // auto, none, or the path of a file
  std::optional<std::filesystem::path> extra_data_dir;  // of images, see dataset_images.h
  std::optional<std::filesystem::path> template_file;   // see prompt_template.h
  bool allow_fewer = false;  // too few samples; rows whose images are missing or broken fall out
  std::string where;         // in the recipe, for messages
};

/// What the data is for.
struct CalibratedModel {
  const Tokenizer* tokenizer = nullptr;     // null: rows of input_ids only
  std::filesystem::path tokenizer_folder;   // of its chat template and special tokens
  int64_t vocabulary_size = 0;              // rows of the embedding
  std::optional<int64_t> longest_sequence;  // max_position_embeddings
  const ImageReader* images = nullptr;      // null: a row with an image is Unsupported
  const nlohmann::json* config = nullptr;   // config.json; where there are images
};

/// Rows that were read, and why some of them gave no sample.
struct RowCounts {
  int64_t read = 0;
  int64_t too_short = 0;
  int64_t repetitive = 0;     // the last token makes up more than half of it
  int64_t empty = 0;          // no token at all
  int64_t without_image = 0;  // an image of it is missing or broken
};

struct CalibrationData {
  std::vector<std::vector<int32_t>> rows;  // each of sequence_length ids; with Pad of at least one
  std::vector<std::vector<std::filesystem::path>> images;  // of each row; empty: a row of text
  int64_t sequence_length = 0;
  RowCounts counts;
  ImageFailures image_failures;  // of images that allow_fewer made rows fall out for
  int64_t rows_with_images = 0;
  std::vector<std::string> warnings;
  std::string sha256;  // see calibration_hash()
};

/// Chooses the rows: of each dataset all rows in the order of numpy's permutation with the seed
/// (`shuffle: false`: of the file), each cut to sequence_length tokens; short and repetitive ones
/// fall out; the first that are left are taken. Datasets without `samples` share what is left to
/// fill equally, one that ends early leaves its rest to the others. Several are joined in order and
/// shuffled once more. A row with images is neither short nor repetitive, unless short_samples is
/// Drop; its images are never cut: what is too long loses text at its end.
/// Source: auto-round 0.14 for its pile-10k; differs: no special tokens by default, packing puts
/// the tokenizer's eos_token between rows and cuts off no special tokens; rows with images are
/// taken in the same order as text, not by their count of words.
/// throws Recipe for a sequence_length beyond the model or below what a row's images take up,
/// datasets that cannot give `samples`, and Pack with images; Checkpoint for missing, damaged or
/// too little data, images too, naming file and line; Unsupported for images and a model that reads
/// none, and kinds of files that are not read.
CalibrationData load_calibration(const CalibrationRequest& request, const CalibratedModel& model);

/// SHA-256 of, for each row, its length as int64 and its ids as int32, all little-endian; where a
/// row has images then, for each row, their number as int64 and the SHA-256 of each file in
/// hexadecimal. throws Checkpoint when an image cannot be read.
std::string calibration_hash(const std::vector<std::vector<int32_t>>& rows,
                             const std::vector<std::vector<std::filesystem::path>>& images = {});

}  // namespace oneshot
