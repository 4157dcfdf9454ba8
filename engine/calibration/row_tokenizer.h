// From a row of a dataset to token ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/calibration/calibration_data.h"
#include "engine/calibration/dataset_row.h"
#include "engine/text/chat_template.h"

namespace oneshot {

/// Reads the tokenizer's settings and the chat template when the first row needs them. Refers to
/// the request and the model it was made from, which must outlive it.
class RowTokenizer {
 public:
  RowTokenizer(const CalibrationRequest& request, const CalibratedModel& model);

  /// The first ids of a row, at most `longest`.
  /// throws Checkpoint, with the place of the row, for an id beyond the vocabulary, a text without
  /// a tokenizer, a tokenizer that does not fit the model, a conversation without a template, and
  /// whatever the template throws.
  std::vector<int32_t> ids(const DatasetRow& row, const RowPlace& place, int64_t longest);

  /// The id of the tokenizer's eos_token; nothing when there is none.
  std::optional<int32_t> end_of_text() const;

 private:
  std::vector<int32_t> encode(const std::string& text,
                              bool special_tokens,
                              const RowPlace& place,
                              int64_t longest);
  std::string render(const Conversation& conversation, const RowPlace& place);
  void open_template(const RowPlace& place);
  void check_vocabulary(const std::vector<int32_t>& ids, const RowPlace& place) const;

  const CalibrationRequest& request_;
  const CalibratedModel& model_;
  bool has_checked_tokenizer_ = false;
  std::optional<ChatTemplate> template_;
  nlohmann::ordered_json template_context_;
};

}  // namespace oneshot
