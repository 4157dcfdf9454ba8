#include "engine/prompt_reader.h"

#include "engine/error.h"
#include "engine/text/chat_template.h"
#include "engine/text/image_messages.h"
#include "engine/text/prompt_template.h"
#include "engine/text/special_tokens.h"

namespace oneshot {
namespace {

constexpr std::string_view kTag = "<image>";

/// A text that says nowhere where its images stand has them in front.
std::string with_tags(const std::string& text, size_t images) {
  const bool is_marked = text.find(kTag) != std::string::npos ||
                         text.find("<|image") != std::string::npos;  // a family's own mark
  std::string tags;
  for (size_t i = 0; !is_marked && i < images; ++i) {
    tags += std::string(kTag) + "\n";
  }
  return tags + text;
}

/// The text with the family's marks in the place of tags.
std::string with_marks(const std::string& text, ImageFamily family) {
  std::string result;
  size_t begin = 0;
  for (int64_t number = 1;; ++number) {
    const size_t tag = text.find(kTag, begin);
    result += text.substr(begin, tag - begin);
    if (tag == std::string::npos) {
      return result;
    }
    result += image_mark(family, number);
    begin = tag + kTag.size();
    if (family == ImageFamily::CogVlm2 && text[begin] == '\n') {
      ++begin;  // its image has no mark, and stands before the text
    }
  }
}

}  // namespace

PromptReader::PromptReader(PromptFolders folders, const nlohmann::json& config)
    : folders_(std::move(folders)),
      config_(config),
      tokenizer_(Tokenizer::from_folder(folders_.tokenizer)),
      files_(processor_folder(folders_.checkpoint, folders_.tower), config) {}

const ImagePrompt& PromptReader::prompt() const {
  if (!image_family(config_)) {
    throw Error(ErrorCode::Unsupported, "config.json: this model reads texts, no images");
  }
  if (!prompt_) {
    prompt_.emplace(config_, tokenizer_, folders_.tokenizer);
  }
  return *prompt_;
}

std::vector<int32_t> PromptReader::ids(const std::string& text,
                                       std::span<const std::filesystem::path> images) const {
  if (images.empty()) {
    return tokenizer_.encode(text, true);
  }
  const ImagePrompt& prompt = this->prompt();
  std::vector<int64_t> tokens;
  for (const std::filesystem::path& image : images) {
    tokens.push_back(files_.tokens(files_.size(image)));
  }
  const std::string marked = with_marks(with_tags(text, images.size()), prompt.family());
  return prompt.ids(marked, !prompt.begins_with_bos(marked), tokens);
}

std::string PromptReader::chat_text(const nlohmann::ordered_json& messages, bool has_images) const {
  const std::optional<ImageFamily> family = image_family(config_);
  const bool own_words =
      family == ImageFamily::LlavaOriginal || family == ImageFamily::CogVlm2;  // no chat template
  nlohmann::ordered_json context = special_tokens(folders_.tokenizer);
  const std::optional<ChatTemplate> chat =
      own_words ? std::nullopt : ChatTemplate::from_folder(folders_.tokenizer);
  if (chat) {
    context["add_generation_prompt"] = true;
    return chat->render(has_images ? with_image_parts(messages, *family) : messages, context);
  }
  if (!family) {
    throw Error(ErrorCode::Checkpoint,
                folders_.tokenizer.string() +
                    ": has no chat template; leave out --chat, or say where one is "
                    "with --tokenizer");
  }
  const auto eos = context.find("eos_token");
  const PromptTemplate form =
      family_template(*family, eos != context.end() ? eos->get<std::string>() : "");
  return render(form, with_image_marks(messages, family)) +
         form.format_assistant.substr(0, form.format_assistant.find("{{content}}"));
}

std::vector<int32_t> PromptReader::chat_ids(const std::string& question,
                                            std::span<const std::filesystem::path> images) const {
  const std::string content = with_tags(question, images.size());
  const nlohmann::ordered_json messages =
      nlohmann::ordered_json::array({{{"role", "user"}, {"content", content}}});
  const std::string text = chat_text(messages, !images.empty());
  return images.empty() ? tokenizer_.encode(text, false) : ids(text, images);
}

ImageInput PromptReader::load(std::span<const std::filesystem::path> images) const {
  return files_.load(images);
}

}  // namespace oneshot
