#include "engine/calibration/conversation_writer.h"

#include "engine/calibration/conversation.h"
#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/text/image_messages.h"
#include "engine/text/special_tokens.h"

namespace oneshot {
namespace {

using Json = nlohmann::ordered_json;

ChatTemplate read_template(const std::filesystem::path& path) {
  const InputFile file(path, InputFile::Access::Read);
  std::vector<std::byte> bytes;
  file.read(0, file.size(), bytes);
  return {std::string(reinterpret_cast<const char*>(bytes.data()), file.size()), path.string()};
}

/// Those whose own code reads no chat template.
bool has_no_chat_template(ImageFamily family) {
  return family == ImageFamily::LlavaOriginal || family == ImageFamily::CogVlm2;
}

/// Those whose chat template reads a list of parts; the others read texts with marks.
bool reads_parts(ImageFamily family) {
  return family == ImageFamily::Llava || family == ImageFamily::Qwen2Vl ||
         family == ImageFamily::Mllama;
}

void check_places(const Conversation& conversation, const RowPlace& place) {
  const int64_t places = count_image_places(conversation.messages);
  const auto images = static_cast<int64_t>(conversation.images.size());
  if (places == images) {
    return;
  }
  throw Error(ErrorCode::Checkpoint,
              place.text() + ": " + std::to_string(images) + " images and " +
                  std::to_string(places) +
                  " places for them in the conversation; write one <image> for each");
}

/// "'format_separator', 'processor'".
std::string listed(const std::vector<std::string>& keys) {
  std::string list;
  for (const std::string& key : keys) {
    list += (list.empty() ? "" : ", ") + in_quotes(key);
  }
  return list;
}

}  // namespace

ConversationWriter::ConversationWriter(const CalibrationRequest& request,
                                       const CalibratedModel& model)
    : request_(request), model_(model) {
  if (model.images != nullptr) {
    family_ = required_image_family(*model.config);
  }
  if (!request.template_file) {
    return;
  }
  user_template_ = read_prompt_template(*request.template_file);
  if (user_template_->extra_encode && request.chat_template != "auto") {
    throw Error(ErrorCode::Recipe,
                request.where +
                    ": 'chat_template' and 'template' (with extra_encode) both say how "
                    "a conversation is written; take one out");
  }
  if (!user_template_->unused.empty()) {
    warnings_.push_back(one_line(request.template_file->string()) + ": " +
                        listed(user_template_->unused) +
                        " change nothing: the recipe names the dataset, the model its processor, "
                        "and auto-round puts no separator either");
  }
}

std::string ConversationWriter::text(const Conversation& conversation, const RowPlace& place) {
  if (family_) {
    check_places(conversation, place);
  }
  const bool is_whole = user_template_ && user_template_->extra_encode;
  if (!is_whole && !joins(conversation)) {
    open_template(place);
  }
  try {
    if (!user_template_) {
      return by_chat_template(conversation);
    }
    const Conversation replaced{
        with_replaced_tokens(*user_template_, with_image_marks(conversation.messages, {})), {}};
    return is_whole ? render(*user_template_, replaced.messages) : by_chat_template(replaced);
  } catch (const Error& error) {  // knows the template's line and not the row
    throw Error(error.code(), place.text() + ": " + error.what());
  }
}

/// True when line breaks are all that stands between the messages.
bool ConversationWriter::joins(const Conversation& conversation) const {
  return request_.chat_template == "none" || conversation.messages.empty();
}

std::string ConversationWriter::by_chat_template(const Conversation& conversation) const {
  const Json& messages = conversation.messages;
  if (joins(conversation)) {
    return joined_contents(family_ ? with_image_marks(messages, family_) : messages);
  }
  if (!family_) {
    return chat_template_->render(messages, special_tokens_);
  }
  if (!chat_template_) {
    return render(family_template(*family_, special_tokens_.value("eos_token", "")),
                  with_image_marks(messages, family_));
  }
  return chat_template_->render(reads_parts(*family_) ? with_image_parts(messages, *family_)
                                                      : with_image_marks(messages, family_),
                                special_tokens_);
}

void ConversationWriter::open_template(const RowPlace& place) {
  if (is_open_) {
    return;
  }
  if (request_.chat_template != "auto") {
    chat_template_ = read_template(request_.chat_template);
  } else if (!family_ || !has_no_chat_template(*family_)) {
    chat_template_ = ChatTemplate::from_folder(model_.tokenizer_folder);
  }
  if (!chat_template_ && !family_) {
    throw Error(ErrorCode::Checkpoint,
                place.text() + ": a conversation, and " +
                    one_line(model_.tokenizer_folder.string()) +
                    " has no chat template; write `chat_template: FILE`, or `chat_template: none` "
                    "to join the messages by line breaks");
  }
  special_tokens_ = special_tokens(model_.tokenizer_folder);
  is_open_ = true;
}

}  // namespace oneshot
