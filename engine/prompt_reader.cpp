#include "engine/prompt_reader.h"

#include "engine/error.h"

namespace oneshot {
namespace {

constexpr std::string_view kTag = "<image>";

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
  const std::string marked = with_marks(text, prompt.family());
  return prompt.ids(marked, !prompt.begins_with_bos(marked), tokens);
}

ImageInput PromptReader::load(std::span<const std::filesystem::path> images) const {
  return files_.load(images);
}

}  // namespace oneshot
