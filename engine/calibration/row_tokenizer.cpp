#include "engine/calibration/row_tokenizer.h"

#include "engine/calibration/conversation.h"
#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/text/special_tokens.h"
#include "engine/text/vocabulary_fit.h"

namespace oneshot {
namespace {

ChatTemplate read_template(const std::filesystem::path& path) {
  const InputFile file(path, InputFile::Access::Read);
  std::vector<std::byte> bytes;
  file.read(0, file.size(), bytes);
  return {std::string(reinterpret_cast<const char*>(bytes.data()), file.size()), path.string()};
}

}  // namespace

RowTokenizer::RowTokenizer(const CalibrationRequest& request, const CalibratedModel& model)
    : request_(request), model_(model) {}

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
                                       int64_t longest) {
  std::vector<int32_t> found;
  if (const auto* ids = std::get_if<std::vector<int32_t>>(&row)) {
    const size_t count = std::min(ids->size(), static_cast<size_t>(longest));
    found.assign(ids->begin(), ids->begin() + static_cast<ptrdiff_t>(count));
  } else if (const auto* text = std::get_if<std::string>(&row)) {
    found = encode(*text, request_.special_tokens, place, longest);
  } else {
    // A template writes the special tokens itself.
    found = encode(render(std::get<Conversation>(row), place), false, place, longest);
  }
  check_vocabulary(found, place);
  return found;
}

std::vector<int32_t> RowTokenizer::encode(const std::string& text,
                                          bool special_tokens,
                                          const RowPlace& place,
                                          int64_t longest) {
  if (model_.tokenizer == nullptr) {
    throw Error(ErrorCode::Checkpoint,
                place.text() + ": a row of text, and " +
                    one_line((model_.tokenizer_folder / "tokenizer.json").string()) +
                    " is not there; name the tokenizer's folder, `model: {tokenizer: DIR}`, or "
                    "use rows of input_ids");
  }
  if (!has_checked_tokenizer_) {
    check_fits(*model_.tokenizer, model_.tokenizer_folder, model_.vocabulary_size);
    has_checked_tokenizer_ = true;
  }
  return model_.tokenizer->encode_first(text, special_tokens, longest);
}

std::string RowTokenizer::render(const Conversation& conversation, const RowPlace& place) {
  if (request_.chat_template == "none" || conversation.messages.empty()) {
    return joined_contents(conversation.messages);
  }
  if (!template_) {
    open_template(place);
  }
  try {
    return template_->render(conversation.messages, template_context_);
  } catch (const Error& error) {  // knows the template's line and not the row
    throw Error(error.code(), place.text() + ": " + error.what());
  }
}

void RowTokenizer::open_template(const RowPlace& place) {
  if (request_.chat_template == "auto") {
    template_ = ChatTemplate::from_folder(model_.tokenizer_folder);
  } else {
    template_ = read_template(request_.chat_template);
  }
  if (!template_) {
    throw Error(ErrorCode::Checkpoint,
                place.text() + ": a conversation, and " +
                    one_line(model_.tokenizer_folder.string()) +
                    " has no chat template; write `chat_template: FILE`, or `chat_template: none` "
                    "to join the messages by line breaks");
  }
  template_context_ = special_tokens(model_.tokenizer_folder);
}

void RowTokenizer::check_vocabulary(const std::vector<int32_t>& ids, const RowPlace& place) const {
  for (const int32_t id : ids) {
    if (id >= model_.vocabulary_size) {
      throw Error(ErrorCode::Checkpoint,
                  place.text() + ": token id " + std::to_string(id) + " is beyond the model's " +
                      std::to_string(model_.vocabulary_size) +
                      "; was this dataset made with another tokenizer?");
    }
  }
}

}  // namespace oneshot
