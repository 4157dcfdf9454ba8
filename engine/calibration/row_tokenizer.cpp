#include "engine/calibration/row_tokenizer.h"

#include <algorithm>

#include "engine/calibration/conversation.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/text/image_messages.h"
#include "engine/text/special_tokens.h"
#include "engine/text/vocabulary_fit.h"

namespace oneshot {

RowTokenizer::RowTokenizer(const CalibrationRequest& request, const CalibratedModel& model)
    : request_(request), model_(model), writer_(request, model) {}

std::optional<int32_t> RowTokenizer::end_of_text() const {
  if (model_.tokenizer == nullptr) {
    return std::nullopt;
  }
  const nlohmann::ordered_json named = special_tokens(model_.tokenizer_folder);
  return named.contains("eos_token")
             ? model_.tokenizer->id_of(named["eos_token"].get<std::string>())
             : std::nullopt;
}

std::vector<int32_t> RowTokenizer::ids(const DatasetRow& row,
                                       const RowPlace& place,
                                       int64_t longest,
                                       std::span<const int64_t> image_tokens) {
  std::vector<int32_t> found;
  if (const auto* ids = std::get_if<std::vector<int32_t>>(&row)) {
    const size_t count = std::min(ids->size(), static_cast<size_t>(longest));
    found.assign(ids->begin(), ids->begin() + static_cast<ptrdiff_t>(count));
  } else if (const auto* text = std::get_if<std::string>(&row)) {
    check_tokenizer(place);
    found = model_.tokenizer->encode_first(*text, request_.special_tokens, longest);
  } else {
    found = encode_conversation(std::get<Conversation>(row), place, longest, image_tokens);
  }
  check_vocabulary(found, place);
  return found;
}

std::vector<int32_t> RowTokenizer::encode_conversation(const Conversation& conversation,
                                                       const RowPlace& place,
                                                       int64_t longest,
                                                       std::span<const int64_t> image_tokens) {
  const std::string text = writer_.text(conversation, place);
  check_tokenizer(place);
  if (!writer_.family()) {  // the template writes the special tokens itself
    return model_.tokenizer->encode_first(text, false, longest);
  }
  std::vector<int32_t> ids = image_ids(text, place, image_tokens);
  cut(ids, place, longest);
  return ids;
}

std::vector<int32_t> RowTokenizer::image_ids(const std::string& text,
                                             const RowPlace& place,
                                             std::span<const int64_t> image_tokens) {
  if (!image_prompt_) {
    image_prompt_.emplace(*model_.config, *model_.tokenizer, model_.tokenizer_folder);
  }
  try {
    return image_prompt_->ids(text, !image_prompt_->begins_with_bos(text), image_tokens);
  } catch (const Error& error) {
    throw Error(error.code(), place.text() + ": " + error.what());
  }
}

/// Takes off text at the end; never a place of an image.
void RowTokenizer::cut(std::vector<int32_t>& ids, const RowPlace& place, int64_t longest) const {
  if (static_cast<int64_t>(ids.size()) <= longest) {
    return;
  }
  const auto is_place = [this](int32_t id) { return image_prompt_->is_place(id); };
  const auto last = std::find_if(ids.rbegin(), ids.rend(), is_place);
  const int64_t behind_images = ids.rend() - last;
  if (behind_images > longest) {
    throw Error(ErrorCode::Recipe,
                request_.where + ": 'sequence_length' is " + std::to_string(longest) +
                    ", the images of " + place.text() + " take up " +
                    std::to_string(std::count_if(ids.begin(), ids.end(), is_place)) +
                    " tokens and end at token " + std::to_string(behind_images) +
                    "; write `sequence_length: " + std::to_string(behind_images) + "` or more");
  }
  ids.resize(static_cast<size_t>(longest));
}

void RowTokenizer::check_tokenizer(const RowPlace& place) {
  if (model_.tokenizer == nullptr) {
    throw Error(ErrorCode::Checkpoint,
                place.text() + ": a row of text, and " +
                    one_line((model_.tokenizer_folder / "tokenizer.json").string()) +
                    " is not there; name the tokenizer's folder, `model: {tokenizer: DIR}`, or "
                    "use rows of input_ids");
  }
  // The tokenizer of LLaVA's Hugging Face layout, which the original one is read with, has the
  // image token beyond the embedding; it never becomes an id here.
  if (!has_checked_tokenizer_ && writer_.family() != ImageFamily::LlavaOriginal) {
    check_fits(*model_.tokenizer, model_.tokenizer_folder, model_.vocabulary_size);
  }
  has_checked_tokenizer_ = true;
}

void RowTokenizer::check_vocabulary(const std::vector<int32_t>& ids, const RowPlace& place) const {
  for (const int32_t id : ids) {
    if (id >= model_.vocabulary_size && !(image_prompt_ && image_prompt_->is_place(id))) {
      throw Error(ErrorCode::Checkpoint,
                  place.text() + ": token id " + std::to_string(id) + " is beyond the model's " +
                      std::to_string(model_.vocabulary_size) +
                      "; was this dataset made with another tokenizer?");
    }
  }
}

}  // namespace oneshot
