// From a conversation to the text that a model reads: by the model's chat template, the user's
// template, or the built-in one of a family that reads images.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/calibration/calibration_data.h"
#include "engine/calibration/dataset_row.h"
#include "engine/text/chat_template.h"
#include "engine/text/prompt_template.h"

namespace oneshot {

/// Reads the chat template when the first conversation needs it. Refers to the request and the
/// model it was made from, which must outlive it.
///
/// `template:` with extra_encode makes the whole text. Else `chat_template:` does: a file, or with
/// `auto` the checkpoint's own, or where it has none the family's built-in one. LlavaOriginal and
/// CogVlm2 always have the built-in one with `auto`: their own code reads no chat template.
class ConversationWriter {
 public:
  /// Reads `template:`. throws what read_prompt_template() throws, Unsupported for a config.json
  /// whose images are not known, Recipe for two templates that both make the text.
  ConversationWriter(const CalibrationRequest& request, const CalibratedModel& model);

  /// Nothing for a model without images.
  std::optional<ImageFamily> family() const { return family_; }

  /// The text, with the family's image marks in it.
  /// throws Checkpoint, with the place of the row, when the conversation has not one "<image>" for
  /// each image, an unknown role, no template, and whatever the template throws.
  std::string text(const Conversation& conversation, const RowPlace& place);

  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  bool joins(const Conversation& conversation) const;
  std::string by_chat_template(const Conversation& conversation) const;
  void open_template(const RowPlace& place);

  const CalibrationRequest& request_;
  const CalibratedModel& model_;
  std::optional<ImageFamily> family_;
  std::optional<PromptTemplate> user_template_;
  std::optional<ChatTemplate> chat_template_;
  bool is_open_ = false;  // chat_template_ was looked for
  nlohmann::ordered_json special_tokens_;
  std::vector<std::string> warnings_;
};

}  // namespace oneshot
