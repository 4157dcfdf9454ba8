// Calibration data: from the files that a recipe names to rows of token ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/calibration/dataset_file.h"
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
  std::optional<ShortSamples> short_samples;  // nothing: Drop
  bool special_tokens = false;                // around a text; conversations have their template's
  std::string chat_template = "auto";         // auto, none, or the path of a file
  std::optional<std::filesystem::path> extra_data_dir, template_file;  // of images: Unsupported
  bool allow_fewer = false;
  std::string where;  // in the recipe, for messages
};

/// What the data is for.
struct CalibratedModel {
  const Tokenizer* tokenizer = nullptr;     // null: rows of input_ids only
  std::filesystem::path tokenizer_folder;   // of its chat template and special tokens
  int64_t vocabulary_size = 0;              // rows of the embedding
  std::optional<int64_t> longest_sequence;  // max_position_embeddings
};

/// Rows that were read, and why some of them gave no sample.
struct RowCounts {
  int64_t read = 0;
  int64_t too_short = 0;
  int64_t repetitive = 0;  // the last token makes up more than half of it
  int64_t empty = 0;       // no token at all
};

struct CalibrationData {
  std::vector<std::vector<int32_t>> rows;  // each of sequence_length ids; with Pad of at least one
  int64_t sequence_length = 0;
  RowCounts counts;
  std::vector<std::string> warnings;
  std::string sha256;  // of `rows`: see calibration_hash()
};

/// Chooses the rows: of each dataset all rows in the order of numpy's permutation with the seed
/// (`shuffle: false`: of the file), each cut to sequence_length tokens; short and repetitive ones
/// fall out; the first that are left are taken. Datasets without `samples` share what is left to
/// fill equally, one that ends early leaves its rest to the others. Several are joined in order and
/// shuffled once more.
/// Source: auto-round 0.14 for its pile-10k; differs: no special tokens by default, packing puts
/// the tokenizer's eos_token between rows and cuts off no special tokens.
/// throws Recipe for a sequence_length beyond the model and datasets that cannot give `samples`;
/// Checkpoint for missing, damaged or too little data, naming file and line; Unsupported for images
/// and kinds of files that are not read.
CalibrationData load_calibration(const CalibrationRequest& request, const CalibratedModel& model);

/// SHA-256 of, for each row, its length as int64 and its ids as int32, all little-endian.
std::string calibration_hash(const std::vector<std::vector<int32_t>>& rows);

}  // namespace oneshot
