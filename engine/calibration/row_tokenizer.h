// From a row of a dataset to token ids.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/calibration/calibration_data.h"
#include "engine/calibration/conversation_writer.h"
#include "engine/calibration/dataset_row.h"
#include "engine/text/image_prompt.h"

namespace oneshot {

/// Reads the tokenizer's settings and the chat template when the first row needs them. Refers to
/// the request and the model it was made from, which must outlive it.
class RowTokenizer {
 public:
  /// throws what ConversationWriter throws.
  RowTokenizer(const CalibrationRequest& request, const CalibratedModel& model);

  /// The first ids of a row, at most `longest`. image_tokens: how many each image of the row takes
  /// up; ids of images are as image_prompt.h says. Conversations of a model that reads images have
  /// the special tokens that its processor gives them, others those of their template only.
  /// throws Checkpoint, with the place of the row, for an id beyond the vocabulary, a text without
  /// a tokenizer, a tokenizer that does not fit the model, what ConversationWriter throws and marks
  /// that do not fit the images; Unsupported for images and a model that reads none; Recipe when
  /// not all images fit in `longest`.
  std::vector<int32_t> ids(const DatasetRow& row,
                           const RowPlace& place,
                           int64_t longest,
                           std::span<const int64_t> image_tokens);

  /// The id of the tokenizer's eos_token; nothing when there is none.
  std::optional<int32_t> end_of_text() const;

  const std::vector<std::string>& warnings() const { return writer_.warnings(); }

 private:
  std::vector<int32_t> encode_conversation(const Conversation& conversation,
                                           const RowPlace& place,
                                           int64_t longest,
                                           std::span<const int64_t> image_tokens);
  std::vector<int32_t> image_ids(const std::string& text,
                                 const RowPlace& place,
                                 std::span<const int64_t> image_tokens);
  void cut(std::vector<int32_t>& ids, const RowPlace& place, int64_t longest) const;
  void check_tokenizer(const RowPlace& place);
  void check_vocabulary(const std::vector<int32_t>& ids, const RowPlace& place) const;

  const CalibrationRequest& request_;
  const CalibratedModel& model_;
  ConversationWriter writer_;
  bool has_checked_tokenizer_ = false;
  std::optional<ImagePrompt> image_prompt_;
};

}  // namespace oneshot
